//! Sessions of the `initialize` era, of which nothing is stored: the id is the session, signed.
//!
//! So no session expires, a restart loses none, and idle clients cost no memory. What is remembered is the other way
//! round: which sessions their clients ended, for a bounded while.

use std::{
    collections::{HashSet, VecDeque},
    fmt,
    sync::{Mutex, PoisonError},
};

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderValue;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::{Capabilities, Client, Version};

/// Unguessable, and the same for all requests of one session: the signature of its id. That covers the app, the epoch of
/// its address and what is random in the id, so no two apps have a session in common. It opens nothing: who would speak for
/// the session needs the rest of the id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SessionKey([u8; TAG_LENGTH]);

impl SessionKey {
    #[cfg(test)]
    pub(crate) fn of(number: u64) -> Self {
        let mut key = [0; TAG_LENGTH];
        key[..8].copy_from_slice(&number.to_be_bytes());
        Self(key)
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SessionKey")
    }
}

/// What a session id says.
#[derive(PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) version: Version,
    pub(crate) key: SessionKey,
    /// All that was signed: who has it and the key can speak for the session.
    payload: Vec<u8>,
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Session")
    }
}

/// Signs session ids and reads them back.
pub(crate) struct Sessions {
    /// Keyed once; a clone of it signs.
    mac: Hmac<Sha256>,
    ended: Mutex<Ended>,
}

/// The last sessions that clients ended; the oldest is forgotten first, and would then be good again, for its holder.
#[derive(Default)]
struct Ended {
    all: HashSet<SessionKey>,
    order: VecDeque<SessionKey>,
}

const ENDED_MAX: usize = 4096;

/// First byte of an id; another layout gets another number, and ids of the old one become unknown sessions.
const LAYOUT: u8 = 2;
/// What tells the sessions of one client apart.
const NONCE_LENGTH: usize = 16;
const TAG_LENGTH: usize = 32;
const NAME_MAX: usize = 64;
const VERSION_MAX: usize = 32;

/// Longer than any id we sign: 196 bytes in base64.
const ID_MAX: usize = 256;

impl Sessions {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        let mac = Hmac::new_from_slice(key).expect("HMAC takes a key of any length");
        Self {
            mac,
            ended: Mutex::default(),
        }
    }

    /// A new session's id; none when the system has no randomness, in which case the client does without.
    pub(crate) fn issue(
        &self,
        version: Version,
        client: &Client,
        app: &str,
        epoch: u64,
    ) -> Option<HeaderValue> {
        let mut nonce = [0; NONCE_LENGTH];
        getrandom::fill(&mut nonce)
            .inspect_err(
                |error| tracing::error!(%error, "no session id: the system gave no randomness"),
            )
            .ok()?;
        let mut token = vec![LAYOUT, version as u8, client.capabilities.to_byte()];
        token.extend_from_slice(&nonce);
        for (text, max) in [(&client.name, NAME_MAX), (&client.version, VERSION_MAX)] {
            let text = prefix(text, max);
            token.push(u8::try_from(text.len()).expect("both bounds are below 256"));
            token.extend_from_slice(text.as_bytes());
        }
        let tag = self.tag(&token, app, epoch).finalize().into_bytes();
        token.extend_from_slice(&tag);
        let id = BASE64URL_NOPAD.encode(&token);
        Some(HeaderValue::from_str(&id).expect("base64 is visible ASCII"))
    }

    /// None for an id that is not ours, was tampered with, belongs to another app or epoch, or was ended: the client is
    /// told nothing of which.
    pub(crate) fn open(&self, id: &HeaderValue, app: &str, epoch: u64) -> Option<Session> {
        if id.len() > ID_MAX {
            return None;
        }
        let mut token = BASE64URL_NOPAD.decode(id.as_bytes()).ok()?;
        let tag = token.split_off(token.len().checked_sub(TAG_LENGTH)?);
        self.tag(&token, app, epoch).verify_slice(&tag).ok()?;

        let (&[layout, version], _) = token.split_first_chunk()?;
        let session = Session {
            version: *Version::ALL.get(usize::from(version))?,
            key: SessionKey(tag.try_into().ok()?),
            payload: token,
        };
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        (layout == LAYOUT && !ended.all.contains(&session.key)).then_some(session)
    }

    /// From now on the session is unknown.
    pub(crate) fn end(&self, session: SessionKey) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.all.insert(session) {
            ended.order.push_back(session);
            if ended.order.len() > ENDED_MAX
                && let Some(oldest) = ended.order.pop_front()
            {
                ended.all.remove(&oldest);
            }
        }
    }

    fn tag(&self, payload: &[u8], app: &str, epoch: u64) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        // The length keeps (app, payload) apart from any other pair with the same concatenation.
        mac.update(&(app.len() as u64).to_be_bytes());
        mac.update(app.as_bytes());
        mac.update(&epoch.to_be_bytes());
        mac.update(payload);
        mac
    }
}

impl Session {
    /// Who said `initialize`. (Few requests ask.)
    pub(crate) fn client(&self) -> Option<Client> {
        let (&[_layout, _version, capabilities], rest) = self.payload.split_first_chunk()?;
        let (_, rest) = rest.split_at_checked(NONCE_LENGTH)?;
        let (name, rest) = text(rest)?;
        let (version, _) = text(rest)?;
        Some(Client {
            name: name.to_owned(),
            version: version.to_owned(),
            capabilities: Capabilities::from_byte(capabilities),
        })
    }
}

/// A length-prefixed text, and what follows it.
fn text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (&length, rest) = bytes.split_first()?;
    let (text, rest) = rest.split_at_checked(usize::from(length))?;
    Some((str::from_utf8(text).ok()?, rest))
}

/// At most `max` bytes of `text`, whole characters.
pub(crate) fn prefix(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> Client {
        Client {
            name: "é".repeat(40),
            version: "1.0".to_owned(),
            capabilities: Capabilities::ROOTS,
        }
    }

    fn issue(sessions: &Sessions) -> HeaderValue {
        sessions
            .issue(Version::V2025_06_18, &client(), "app", 7)
            .expect("randomness")
    }

    #[test]
    fn an_id_says_what_was_signed() {
        let sessions = Sessions::new(&[1; 32]);
        let session = sessions
            .open(&issue(&sessions), "app", 7)
            .expect("a session of our own");
        assert_eq!(session.version, Version::V2025_06_18);
        assert_eq!(
            session.client(),
            Some(Client {
                name: "é".repeat(32),
                version: "1.0".to_owned(),
                capabilities: Capabilities::ROOTS,
            })
        );
        assert_ne!(issue(&sessions), issue(&sessions));
    }

    #[test]
    fn an_id_is_good_for_one_app_one_epoch_and_one_key() {
        let sessions = Sessions::new(&[1; 32]);
        let id = issue(&sessions);
        assert_eq!(sessions.open(&id, "ap", 7), None);
        assert_eq!(sessions.open(&id, "app", 8), None);
        assert_eq!(Sessions::new(&[2; 32]).open(&id, "app", 7), None);
    }

    #[test]
    fn sessions_of_two_apps_or_epochs_are_never_one() {
        let sessions = Sessions::new(&[1; 32]);
        // All that is in an id, the random part included.
        let key = |app, epoch| sessions.tag(b"payload", app, epoch).finalize().into_bytes();
        assert_ne!(key("app", 7), key("ap", 7));
        assert_ne!(key("app", 7), key("app", 8));
        let id = issue(&sessions);
        let token = BASE64URL_NOPAD.decode(id.as_bytes()).expect("base64");
        let session = sessions.open(&id, "app", 7).expect("a session");
        assert!(token.ends_with(&session.key.0));
    }

    #[test]
    fn no_changed_bit_passes() {
        let sessions = Sessions::new(&[1; 32]);
        let token = BASE64URL_NOPAD
            .decode(issue(&sessions).as_bytes())
            .expect("base64");
        for bit in 0..token.len() * 8 {
            let mut changed = token.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let id =
                HeaderValue::from_str(&BASE64URL_NOPAD.encode(&changed)).expect("visible ASCII");
            assert_eq!(sessions.open(&id, "app", 7), None, "bit {bit}");
        }
        for strange in ["", "x", "AAAA", &"A".repeat(43), &"A".repeat(300)] {
            assert_eq!(
                sessions.open(&HeaderValue::from_str(strange).expect("ASCII"), "app", 7),
                None
            );
        }
    }

    #[test]
    fn an_ended_session_is_unknown_and_the_memory_of_it_is_bounded() {
        let sessions = Sessions::new(&[1; 32]);
        let first = issue(&sessions);
        sessions.end(sessions.open(&first, "app", 7).expect("a session").key);
        assert_eq!(sessions.open(&first, "app", 7), None);
        for _ in 0..ENDED_MAX {
            let id = issue(&sessions);
            sessions.end(sessions.open(&id, "app", 7).expect("a session").key);
        }
        assert_eq!(
            sessions.ended.lock().expect("no panic").all.len(),
            ENDED_MAX
        );
        assert!(sessions.open(&first, "app", 7).is_some());
    }
}
