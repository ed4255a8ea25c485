use std::fs::Permissions;

use super::*;
use crate::home::Home;

fn home() -> (tempfile::TempDir, HomeLock) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let home = Home::open(directory.path()).expect("a writable place");
    let lock = home.lock().expect("nobody else is here");
    (directory, lock)
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).expect("a writable place");
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("our own file");
}

#[test]
fn the_first_start_makes_a_key_that_later_starts_find() {
    let (_directory, home) = home();
    let first = MasterKey::load(&home, None).expect("a new home");
    let mode = fs::metadata(home.master_key())
        .expect("it was made")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(
        MasterKey::load(&home, None).expect("the key is there").id(),
        first.id()
    );
}

#[test]
fn a_registry_without_its_key_gets_no_new_one() {
    let (_directory, home) = home();
    fs::write(home.db(), "anything").expect("a writable place");
    let refusal = MasterKey::load(&home, None).expect_err("the key is gone");
    assert!(matches!(refusal, KeyError::Missing { .. }), "{refusal}");
    assert!(!home.master_key().exists());
}

#[test]
fn a_named_file_wins_and_is_never_made() {
    let (directory, home) = home();
    MasterKey::load(&home, None).expect("a new home");
    let named = directory.path().join("named");
    let refusal = MasterKey::load(&home, Some(&named)).expect_err("it is not there");
    assert!(matches!(refusal, KeyError::Io { .. }), "{refusal}");
    write(&named, &format!("{}\n", HEXLOWER.encode(&[7; 32])), 0o440);
    let hex = MasterKey::load(&home, Some(&named)).expect("a key in hexadecimal");
    write(&named, &format!("{}\n", BASE64.encode(&[7; 32])), 0o400);
    let base64 = MasterKey::load(&home, Some(&named)).expect("a key in base64");
    assert_eq!(hex.id(), base64.id());
    assert_ne!(
        hex.id(),
        MasterKey::load(&home, None).expect("the home's own").id()
    );
}

#[test]
fn a_key_that_others_can_reach_is_refused() {
    let (directory, home) = home();
    let line = HEXLOWER.encode(&[7; 32]);
    for mode in [0o640, 0o604, 0o620, 0o602] {
        write(&home.master_key(), &line, mode);
        let refusal = MasterKey::load(&home, None).expect_err("others can reach it");
        assert!(
            refusal.to_string().contains(&format!("{mode:04o}")),
            "{refusal}"
        );
    }
    let named = directory.path().join("named");
    for mode in [0o444, 0o460, 0o402] {
        write(&named, &line, mode);
        let refusal = MasterKey::load(&home, Some(&named)).expect_err("others can reach it");
        assert!(matches!(refusal, KeyError::Exposed { .. }), "{refusal}");
    }
}

#[test]
fn a_file_with_something_else_is_refused_without_quoting_it() {
    let (_directory, home) = home();
    for text in [
        "",
        "app-secret",
        &"0".repeat(63),
        &"zz".repeat(32),
        &"0".repeat(5000),
    ] {
        write(&home.master_key(), text, 0o600);
        let refusal = MasterKey::load(&home, None).expect_err("that is no key");
        assert!(matches!(refusal, KeyError::Malformed { .. }), "{refusal}");
        assert!(
            text.is_empty() || !refusal.to_string().contains(text),
            "{refusal}"
        );
    }
}

#[test]
fn every_purpose_has_a_key_of_its_own() {
    let master = MasterKey(Zeroizing::new([7; 32]));
    let purposes = [
        Purpose::AppKeys,
        Purpose::AppKeyFingerprints,
        Purpose::Addresses,
        Purpose::AddressHashes,
        Purpose::Sessions,
        Purpose::RequestState,
        Purpose::Tasks,
        Purpose::TaskIds,
        Purpose::Conversations,
        Purpose::Files,
        Purpose::Spool,
        Purpose::Pauses,
        Purpose::Users,
        Purpose::CodeCache,
    ];
    let keys: std::collections::BTreeSet<_> = purposes
        .iter()
        .map(|purpose| *master.derive(*purpose))
        .collect();
    assert_eq!(keys.len(), purposes.len());
}

#[test]
fn derived_keys_are_the_same_in_every_version() {
    let master = MasterKey(Zeroizing::new([7; 32]));
    assert_eq!(master.id(), "e7bac8148779079c");
    assert_eq!(
        HEXLOWER.encode(&*master.derive(Purpose::AppKeys)),
        "0fb9453f3c33eb4ed128dbe834c4481653b931f1abee7220cdc05e3772341c7e"
    );
}

#[test]
fn debug_prints_the_name_of_the_type_alone() {
    assert_eq!(
        format!("{:?}", MasterKey(Zeroizing::new([7; 32]))),
        "MasterKey"
    );
}
