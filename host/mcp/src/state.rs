//! States of requests that wait for an answer: clients carry them, sealed, so that no server has to.
//!
//! A state is good for one app and epoch, one request (its method, name and arguments), and a while. It can be used more
//! than once meanwhile: a client may repeat a request whose answer it lost.

use std::time::{Duration, SystemTime};

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, value::RawValue};
use sha2::{Digest, Sha256};

use crate::{ToolServer, job::Ask};

/// Seals and opens.
pub(crate) struct States {
    cipher: XChaCha20Poly1305,
    good_for: Duration,
}

/// First byte of a token; another layout gets another number, and older tokens are refused.
const LAYOUT: u8 = 1;
const NONCE_LENGTH: usize = 24;

/// Bytes of a state before it is sealed.
pub(crate) const STATE_MAX: usize = 32 * 1024;

/// Longer than any token we seal.
const TOKEN_MAX: usize = STATE_MAX * 4 / 3 + 128;

impl States {
    pub(crate) fn new(key: &[u8; 32], good_for: Duration) -> Self {
        Self {
            cipher: XChaCha20Poly1305::new(key.into()),
            good_for,
        }
    }

    /// A token that holds `state`; none when the system has no randomness.
    pub(crate) fn seal(&self, server: &dyn ToolServer, ask: &Ask, state: &[u8]) -> Option<String> {
        let mut nonce = [0; NONCE_LENGTH];
        getrandom::fill(&mut nonce)
            .inspect_err(
                |error| tracing::error!(%error, "no request state: the system gave no randomness"),
            )
            .ok()?;
        let expires = now().saturating_add(self.good_for.as_secs());
        let mut plain = expires.to_be_bytes().to_vec();
        plain.extend_from_slice(state);
        let payload = Payload {
            msg: &plain,
            aad: &bound_to(server, ask),
        };
        let sealed = self
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .expect("the cipher takes any message under 256 GiB");
        let mut token = vec![LAYOUT];
        token.extend_from_slice(&nonce);
        token.extend_from_slice(&sealed);
        Some(BASE64URL_NOPAD.encode(&token))
    }

    /// None for a token that is not ours, was changed, is too old, or belongs to another request, app or epoch: the client
    /// is told nothing of which.
    pub(crate) fn open(&self, server: &dyn ToolServer, ask: &Ask, token: &str) -> Option<Vec<u8>> {
        if token.len() > TOKEN_MAX {
            return None;
        }
        let token = BASE64URL_NOPAD.decode(token.as_bytes()).ok()?;
        let (&layout, rest) = token.split_first()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LENGTH>()?;
        let payload = Payload {
            msg: sealed,
            aad: &bound_to(server, ask),
        };
        let mut plain = self.cipher.decrypt(&XNonce::from(*nonce), payload).ok()?;
        let expires = u64::from_be_bytes(*plain.first_chunk()?);
        (layout == LAYOUT && now() < expires).then(|| plain.split_off(size_of::<u64>()))
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// What a state may be used for, as a digest: each part is preceded by its length, so that none runs into the next.
fn bound_to(server: &dyn ToolServer, ask: &Ask) -> [u8; 32] {
    let (method, arguments) = match ask {
        Ask::Call { arguments, .. } => ("tools/call", Some(&**arguments)),
        Ask::Read { .. } => ("resources/read", None),
        Ask::Prompt { arguments, .. } => ("prompts/get", Some(&**arguments)),
        Ask::Complete { known, .. } => ("completion/complete", Some(&**known)),
    };
    let mut digest = Sha256::new();
    put(&mut digest, server.app().as_bytes());
    digest.update(server.epoch().to_be_bytes());
    put(&mut digest, method.as_bytes());
    put(&mut digest, ask.name().as_bytes());
    if let Some(arguments) = arguments {
        put_json(&mut digest, arguments);
    }
    digest.finalize().into()
}

fn put(digest: &mut Sha256, part: &[u8]) {
    digest.update((part.len() as u64).to_be_bytes());
    digest.update(part);
}

/// The same for all spellings of one value: a client may write its members in another order when it comes again.
fn put_json(digest: &mut Sha256, raw: &RawValue) {
    match serde_json::from_str(raw.get()) {
        Ok(value) => put_value(digest, &value),
        // JSON, but with a number that no float holds.
        Err(_) => put(digest, raw.get().as_bytes()),
    }
}

fn put_value(digest: &mut Sha256, value: &Value) {
    match value {
        Value::Null => digest.update(b"z"),
        Value::Bool(value) => digest.update(if *value { b"t" } else { b"f" }),
        Value::Number(number) => {
            digest.update(b"n");
            put(digest, number.to_string().as_bytes());
        }
        Value::String(text) => {
            digest.update(b"s");
            put(digest, text.as_bytes());
        }
        Value::Array(items) => {
            digest.update(b"a");
            digest.update((items.len() as u64).to_be_bytes());
            items.iter().for_each(|item| put_value(digest, item));
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            digest.update(b"o");
            digest.update((members.len() as u64).to_be_bytes());
            for (name, value) in members {
                put(digest, name.as_bytes());
                put_value(digest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;

    const SERVER: Fake = Fake {
        app: "app",
        epoch: 7,
    };

    fn states(good_for: u64) -> States {
        States::new(&[1; 32], Duration::from_secs(good_for))
    }

    fn call(tool: &str, arguments: &str) -> Ask {
        Ask::Call {
            tool: tool.to_owned(),
            arguments: RawValue::from_string(arguments.to_owned())
                .expect("a test's JSON")
                .into(),
        }
    }

    fn sealed(ask: &Ask) -> String {
        states(60)
            .seal(&SERVER, ask, b"secret")
            .expect("randomness")
    }

    #[test]
    fn a_state_comes_back_as_it_was_and_says_nothing_on_the_way() {
        let ask = call("t", r#"{"a":1,"b":[true,null]}"#);
        let token = sealed(&ask);
        assert!(!token.contains("secret") && token != sealed(&ask));
        let respelled = call("t", r#"{"b": [true,null], "a": 1}"#);
        assert_eq!(
            states(60).open(&SERVER, &respelled, &token).as_deref(),
            Some(b"secret".as_slice())
        );
    }

    #[test]
    fn a_state_is_good_for_one_request_of_one_app_and_epoch_under_one_key() {
        let token = sealed(&call("t", r#"{"a":"1"}"#));
        let open = |server: &Fake, ask: &Ask| states(60).open(server, ask, &token);
        let ask = call("t", r#"{"a":"1"}"#);
        assert!(open(&SERVER, &ask).is_some());
        let other_app = Fake {
            app: "ap",
            epoch: 7,
        };
        let other_epoch = Fake {
            app: "app",
            epoch: 8,
        };
        assert_eq!(open(&other_app, &ask), None);
        assert_eq!(open(&other_epoch, &ask), None);
        for other in [
            call("u", r#"{"a":"1"}"#),
            call("t", r#"{"a":1}"#),
            call("t", r#"{"a":"1","b":1}"#),
            call("t", r#"{"a":["1"]}"#),
            call("t", "{}"),
            Ask::Read {
                uri: "t".to_owned(),
            },
        ] {
            assert_eq!(open(&SERVER, &other), None, "{other:?}");
        }
        let other_key = States::new(&[2; 32], Duration::from_secs(60));
        assert_eq!(other_key.open(&SERVER, &ask, &token), None);
    }

    #[test]
    fn a_state_is_refused_when_its_time_is_over() {
        let ask = call("t", "{}");
        let token = states(0).seal(&SERVER, &ask, b"").expect("randomness");
        assert_eq!(states(60).open(&SERVER, &ask, &token), None);
    }

    #[test]
    fn no_changed_bit_passes() {
        let ask = call("t", "{}");
        let token = BASE64URL_NOPAD
            .decode(sealed(&ask).as_bytes())
            .expect("base64");
        for bit in 0..token.len() * 8 {
            let mut changed = token.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let changed = BASE64URL_NOPAD.encode(&changed);
            assert_eq!(states(60).open(&SERVER, &ask, &changed), None, "bit {bit}");
        }
        let (long, longer) = ("A".repeat(60), "A".repeat(TOKEN_MAX + 1));
        for strange in ["", "x", "AAAA", "=", "é", &long, &longer] {
            assert_eq!(states(60).open(&SERVER, &ask, strange), None);
        }
    }
}
