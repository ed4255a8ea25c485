//! What a client holds of a file: sealed, good at one app, for one epoch of its address, and for a time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use airlock_registry::{MasterKey, Purpose, Sealer};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use super::Owner;

/// What every handle begins with; the whole of it is the URI of a resource.
pub const SCHEME: &str = "airlock-file:";
/// Longer ones are none of ours.
const LONGEST: usize = 2 << 10;

/// A file that is still there for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Handle {
    pub(super) place: Place,
    pub(super) name: String,
    pub(super) mime_type: String,
    bytes: u64,
    /// Seconds since 1970.
    until: u64,
}

/// Where the file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Place {
    /// In the spool, under this name.
    Spool(String),
    /// In Dify, as this upload of the same caller's.
    Upload(String),
}

impl Handle {
    pub(super) fn new(
        place: Place,
        name: &str,
        mime_type: &str,
        bytes: usize,
        ttl: Duration,
    ) -> Self {
        Self {
            place,
            name: name.to_owned(),
            mime_type: mime_type.to_owned(),
            bytes: bytes as u64,
            until: now() + ttl.as_secs(),
        }
    }

    pub(super) fn size(&self) -> usize {
        usize::try_from(self.bytes).unwrap_or(usize::MAX)
    }
}

/// Makes handles, and knows them again.
#[derive(Debug)]
pub(super) struct Handles(pub(super) Sealer);

impl Handles {
    pub(super) fn new(master: &MasterKey) -> Self {
        Self(Sealer::new(&master.derive(Purpose::Files)))
    }

    pub(super) fn seal(&self, owner: &Owner, handle: &Handle) -> String {
        let plain = serde_json::to_vec(handle).expect("names and numbers are JSON");
        let sealed = self.0.seal(&aad(owner), &plain);
        format!("{SCHEME}{}", BASE64URL_NOPAD.encode(&sealed))
    }

    /// `None` for a handle of another app or another epoch, for one whose time is over, and for nobody's. Which of these,
    /// nobody is told.
    pub(super) fn open(&self, owner: &Owner, text: &str) -> Option<Handle> {
        let sealed = text
            .strip_prefix(SCHEME)
            .filter(|_| text.len() <= LONGEST)?;
        let sealed = BASE64URL_NOPAD.decode(sealed.as_bytes()).ok()?;
        let plain = self.0.open(&aad(owner), &sealed).ok()?;
        let handle: Handle = serde_json::from_slice(&plain).ok()?;
        (handle.until > now()).then_some(handle)
    }
}

fn aad(owner: &Owner) -> Vec<u8> {
    format!("file\0{}\0{}", owner.app, owner.epoch).into_bytes()
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
