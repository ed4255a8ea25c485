//! Who the caller is to Dify, and which conversations are theirs.

use airlock_registry::{AppRecord, MasterKey, Purpose, Sealer};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// All holders of an address are one principal: the address is all that is known of them.
const ADDRESS_ONLY: &[u8] = b"address";

/// Makes names for callers that lead back to nobody, and seals what they may hold.
pub struct Identities {
    users: Zeroizing<[u8; 32]>,
    conversations: Sealer,
    pauses: Sealer,
}

impl Identities {
    /// Keys of their own, derived from the master key.
    #[must_use]
    pub fn new(master: &MasterKey) -> Self {
        Self {
            users: master.derive(Purpose::Users),
            conversations: Sealer::new(&master.derive(Purpose::Conversations)),
            pauses: Sealer::new(&master.derive(Purpose::Pauses)),
        }
    }

    /// Dify's `user`. Never an argument of the call, since Dify keeps conversations and uploads apart by it; never of the
    /// credential's epoch, since a new address is no new person.
    #[must_use]
    pub fn user(&self, app: &AppRecord) -> String {
        format!("airlock-{}", self.name(b"user", app))
    }

    /// The caller's name for a guest: the same person at the same app, and nothing more.
    #[must_use]
    pub fn principal(&self, app: &AppRecord) -> String {
        self.name(b"principal", app)
    }

    fn name(&self, label: &[u8], app: &AppRecord) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.users[..])
            .expect("HMAC takes a key of any length");
        for part in [label, app.id.as_str().as_bytes(), ADDRESS_ONLY] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        HEXLOWER.encode(&mac.finalize().into_bytes()[..16])
    }

    /// The handle of a conversation: opaque, good at this app and until its address is replaced.
    #[must_use]
    pub fn seal_conversation(&self, app: &AppRecord, conversation: &str) -> String {
        BASE64URL_NOPAD.encode(
            &self
                .conversations
                .seal(&aad("conversation", app), conversation.as_bytes()),
        )
    }

    /// The conversation behind a handle; `None` for a handle of another app, another epoch, or nobody's.
    #[must_use]
    pub fn open_conversation(&self, app: &AppRecord, handle: &str) -> Option<String> {
        let sealed = BASE64URL_NOPAD.decode(handle.as_bytes()).ok()?;
        let plain = self
            .conversations
            .open(&aad("conversation", app), &sealed)
            .ok()?;
        String::from_utf8(plain.to_vec()).ok()
    }

    /// The handle of what a run waits for, with the same bounds.
    #[must_use]
    pub fn seal_pause(&self, app: &AppRecord, pause: &[u8]) -> String {
        BASE64URL_NOPAD.encode(&self.pauses.seal(&aad("pause", app), pause))
    }

    /// What such a handle holds.
    #[must_use]
    pub fn open_pause(&self, app: &AppRecord, handle: &str) -> Option<Zeroizing<Vec<u8>>> {
        let sealed = BASE64URL_NOPAD.decode(handle.as_bytes()).ok()?;
        self.pauses.open(&aad("pause", app), &sealed).ok()
    }
}

fn aad(what: &str, app: &AppRecord) -> Vec<u8> {
    format!("{what}\0{}\0{}", app.id, app.credential_epoch).into_bytes()
}
