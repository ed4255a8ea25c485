//! What the registry does with its own derived keys.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{
    app::AppId,
    code,
    keys::{MasterKey, Purpose},
    seal::{Sealer, Unsealable},
    secret::Secret,
};

/// Characters of an address code: 160 random bits.
const ADDRESS_LENGTH: usize = 32;

/// A keyed hash: whoever reads the file or the memory of an index learns no secret, and whoever sends secrets cannot
/// choose where in a hash map they fall.
pub(crate) type Hash = [u8; 32];

/// Seals and hashes app keys and addresses.
pub(crate) struct Vault {
    app_keys: Sealer,
    addresses: Sealer,
    tasks: Sealer,
    fingerprints: Hmac<Sha256>,
    address_hashes: Hmac<Sha256>,
}

impl Vault {
    pub(crate) fn new(master: &MasterKey) -> Self {
        let mac = |purpose| {
            Hmac::<Sha256>::new_from_slice(&*master.derive(purpose))
                .expect("HMAC takes a key of any length")
        };
        Self {
            app_keys: Sealer::new(&master.derive(Purpose::AppKeys)),
            addresses: Sealer::new(&master.derive(Purpose::Addresses)),
            tasks: Sealer::new(&master.derive(Purpose::Tasks)),
            fingerprints: mac(Purpose::AppKeyFingerprints),
            address_hashes: mac(Purpose::AddressHashes),
        }
    }

    pub(crate) fn new_address() -> Secret {
        Secret::new(code::random(ADDRESS_LENGTH))
    }

    /// `None` for text that no address can be, whatever its length: nobody makes us hash a megabyte.
    pub(crate) fn address_hash(&self, code: &str) -> Option<Hash> {
        (code.len() == ADDRESS_LENGTH).then(|| hash(&self.address_hashes, code))
    }

    pub(crate) fn fingerprint(&self, key: &Secret) -> Hash {
        hash(&self.fingerprints, key.expose())
    }

    pub(crate) fn seal_key(&self, app: &AppId, key: &Secret) -> Vec<u8> {
        self.app_keys
            .seal(&aad("apps.sealed_key", app), key.expose().as_bytes())
    }

    pub(crate) fn open_key(&self, app: &AppId, sealed: &[u8]) -> Result<Secret, Unsealable> {
        open(&self.app_keys, "apps.sealed_key", app, sealed)
    }

    pub(crate) fn seal_address(&self, app: &AppId, address: &Secret) -> Vec<u8> {
        self.addresses.seal(
            &aad("apps.sealed_address", app),
            address.expose().as_bytes(),
        )
    }

    pub(crate) fn open_address(&self, app: &AppId, sealed: &[u8]) -> Result<Secret, Unsealable> {
        open(&self.addresses, "apps.sealed_address", app, sealed)
    }

    pub(crate) fn seal_task(&self, app: &AppId, key: &[u8; 16], state: &[u8]) -> Vec<u8> {
        self.tasks.seal(&task_aad(app, key), state)
    }

    pub(crate) fn open_task(
        &self,
        app: &AppId,
        key: &[u8; 16],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Unsealable> {
        self.tasks.open(&task_aad(app, key), sealed)
    }

    pub(crate) fn seal_task_run(
        &self,
        app: &AppId,
        key: &[u8; 16],
        place: usize,
        run: &[u8],
    ) -> Vec<u8> {
        self.tasks.seal(&task_run_aad(app, key, place), run)
    }

    pub(crate) fn open_task_run(
        &self,
        app: &AppId,
        key: &[u8; 16],
        place: usize,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Unsealable> {
        self.tasks.open(&task_run_aad(app, key, place), sealed)
    }
}

fn task_run_aad(app: &AppId, key: &[u8; 16], place: usize) -> Vec<u8> {
    let place = (place as u64).to_be_bytes();
    [&aad("task_runs.sealed_run", app)[..], b"/", key, &place].concat()
}

fn task_aad(app: &AppId, key: &[u8; 16]) -> Vec<u8> {
    [&aad("tasks.sealed_state", app)[..], b"/", key].concat()
}

/// Column and row, so that whoever can write the file cannot give one app another's key.
fn aad(column: &str, app: &AppId) -> Vec<u8> {
    format!("{column}/{app}").into_bytes()
}

fn open(sealer: &Sealer, column: &str, app: &AppId, sealed: &[u8]) -> Result<Secret, Unsealable> {
    let plain = sealer.open(&aad(column, app), sealed)?;
    str::from_utf8(&plain)
        .map(Secret::new)
        .map_err(|_| Unsealable)
}

fn hash(mac: &Hmac<Sha256>, text: &str) -> Hash {
    mac.clone()
        .chain_update(text)
        .finalize()
        .into_bytes()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn a_sealed_secret_opens_in_its_own_row_and_column_alone() {
        let vault = Vault::new(&testing::master_key(1));
        let (app, other) = (AppId::random(), AppId::random());
        let sealed = vault.seal_key(&app, &Secret::new("app-1"));
        assert_eq!(
            vault
                .open_key(&app, &sealed)
                .expect("its own place")
                .expose(),
            "app-1"
        );
        assert_eq!(
            vault.open_key(&other, &sealed).expect_err("another row"),
            Unsealable
        );
        assert_eq!(
            vault
                .open_address(&app, &sealed)
                .expect_err("another column"),
            Unsealable
        );
    }

    #[test]
    fn text_of_another_length_is_no_address() {
        let vault = Vault::new(&testing::master_key(1));
        assert!(vault.address_hash(Vault::new_address().expose()).is_some());
        assert!(vault.address_hash("").is_none());
        assert!(vault.address_hash(&"a".repeat(1 << 20)).is_none());
    }
}
