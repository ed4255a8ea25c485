//! Task ids: a key, signed for one app and epoch, so that an id is worth nothing anywhere else and dies with the
//! credential.

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{TaskKey, ToolServer};

pub(crate) struct Ids {
    /// Keyed once; a clone of it signs.
    mac: Hmac<Sha256>,
}

const KEY_LENGTH: usize = 16;

/// Exactly as long as an id: 16 bytes and a tag of 32, in base64.
const ID_LENGTH: usize = 64;

impl Ids {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        let mac = Hmac::new_from_slice(key).expect("HMAC takes a key of any length");
        Self { mac }
    }

    pub(crate) fn seal(&self, server: &dyn ToolServer, key: TaskKey) -> String {
        let mut id = key.0.to_vec();
        id.extend_from_slice(&self.tag(server, key).finalize().into_bytes());
        BASE64URL_NOPAD.encode(&id)
    }

    /// None for an id that is not ours, or belongs to another app or epoch.
    pub(crate) fn open(&self, server: &dyn ToolServer, id: &str) -> Option<TaskKey> {
        if id.len() != ID_LENGTH {
            return None;
        }
        let id = BASE64URL_NOPAD.decode(id.as_bytes()).ok()?;
        let (key, tag) = id.split_first_chunk::<KEY_LENGTH>()?;
        let key = TaskKey(*key);
        self.tag(server, key).verify_slice(tag).ok()?;
        Some(key)
    }

    fn tag(&self, server: &dyn ToolServer, key: TaskKey) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        mac.update(&key.0);
        mac.update(&server.epoch().to_be_bytes());
        mac.update(server.app().as_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;

    #[test]
    fn an_id_is_good_for_one_app_one_epoch_and_one_key() {
        let (ids, key) = (Ids::new(&[1; 32]), TaskKey([7; 16]));
        let server = Fake {
            app: "app",
            epoch: 7,
        };
        let id = ids.seal(&server, key);
        assert_eq!(ids.open(&server, &id), Some(key));
        assert_eq!(
            ids.open(
                &Fake {
                    app: "ap",
                    epoch: 7
                },
                &id
            ),
            None
        );
        assert_eq!(
            ids.open(
                &Fake {
                    app: "app",
                    epoch: 8
                },
                &id
            ),
            None
        );
        assert_eq!(Ids::new(&[2; 32]).open(&server, &id), None);
    }

    #[test]
    fn no_changed_bit_passes() {
        let ids = Ids::new(&[1; 32]);
        let server = Fake {
            app: "app",
            epoch: 7,
        };
        let id = ids.seal(&server, TaskKey([7; 16]));
        let id = BASE64URL_NOPAD.decode(id.as_bytes()).expect("base64");
        for bit in 0..id.len() * 8 {
            let mut changed = id.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let changed = BASE64URL_NOPAD.encode(&changed);
            assert_eq!(ids.open(&server, &changed), None, "bit {bit}");
        }
        for strange in ["", "x", &"A".repeat(64), &"é".repeat(32)] {
            assert_eq!(ids.open(&server, strange), None);
        }
    }
}
