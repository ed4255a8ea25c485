use std::time::Duration;

use airlock_sandbox::{Component, Engine, EngineConfig};

use super::*;

const COMPATIBILITY: u64 = 7;

fn code() -> Compiled {
    Compiled::of(crate::guests::built_in()).expect("the built-in guest compiles")
}

fn cache(directory: &Path, bytes: u64, key: u8, compatibility: u64) -> Cache {
    let config = CacheConfig {
        directory: directory.to_owned(),
        bytes,
        key: Zeroizing::new([key; 32]),
    };
    Cache::new(config, compatibility)
}

fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

fn why(found: Result<Compiled, Unusable>) -> Unusable {
    match found {
        Ok(_) => panic!("it was used"),
        Err(why) => why,
    }
}

#[test]
fn what_was_kept_comes_back_and_runs() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let compatibility = airlock_sandbox::compatibility().expect("a compiler");
    let cache = cache(directory.path(), 64 << 20, 1, compatibility);
    assert!(!cache.has(&digest("a")));
    assert!(matches!(why(cache.get(&digest("a"))), Unusable::Absent));
    let compiled = code();
    cache.put(&digest("a"), &compiled).expect("there is room");
    assert!(cache.has(&digest("a")));
    let found = cache.get(&digest("a")).expect("it was kept");
    assert_eq!(found.as_bytes(), compiled.as_bytes());
    let engine = Engine::start(&EngineConfig {
        instances: 1,
        threads: 1,
        pooling: false,
        ..EngineConfig::default()
    });
    Component::link(&engine.expect("an engine"), &found).expect("it is a guest");
}

#[test]
fn nothing_is_used_that_this_installation_did_not_write_there() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let ours = cache(directory.path(), 64 << 20, 1, COMPATIBILITY);
    let (a, b) = (digest("a"), digest("b"));
    ours.put(&a, &code()).expect("there is room");
    let entry = fs::read(ours.path(&a)).expect("an entry");
    // Each part of the header, and both ends of the code.
    for position in [0, TAG, TAG + 16, TAG + 48, HEADER, entry.len() - 1] {
        let mut changed = entry.clone();
        changed[position] ^= 1;
        fs::write(ours.path(&a), changed).expect("a file");
        assert!(
            matches!(why(ours.get(&a)), Unusable::Forged),
            "byte {position}"
        );
    }
    for length in [0, TAG - 1, HEADER - 1, HEADER, entry.len() - 1] {
        fs::write(ours.path(&a), &entry[..length]).expect("a file");
        assert!(
            matches!(why(ours.get(&a)), Unusable::Truncated | Unusable::Forged),
            "{length} bytes"
        );
    }
    fs::write(ours.path(&a), [&entry[..], b"more"].concat()).expect("a file");
    assert!(matches!(why(ours.get(&a)), Unusable::Forged));
    // Ours, under another name.
    fs::write(ours.path(&b), &entry).expect("a file");
    assert!(matches!(why(ours.get(&b)), Unusable::Misplaced));
    let later = cache(directory.path(), 64 << 20, 1, COMPATIBILITY + 1);
    assert!(matches!(why(later.get(&a)), Unusable::Absent));
    fs::write(later.path(&a), &entry).expect("a file");
    assert!(matches!(why(later.get(&a)), Unusable::Misplaced));
    // Another installation's.
    let theirs = cache(directory.path(), 64 << 20, 2, COMPATIBILITY);
    theirs.put(&a, &code()).expect("there is room");
    assert!(matches!(why(ours.get(&a)), Unusable::Forged));
    // And it is replaced.
    ours.put(&a, &code()).expect("there is room");
    ours.get(&a).expect("our own again");
}

#[test]
fn what_was_not_used_for_the_longest_makes_room() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let code = code();
    let entry = (HEADER + code.as_bytes().len()) as u64;
    let cache = cache(directory.path(), 2 * entry, 1, COMPATIBILITY);
    let (a, b, c) = (digest("a"), digest("b"), digest("c"));
    // As if some time had passed: file systems count it coarsely.
    let used = |digest: &Digest, ago| {
        let file = File::open(cache.path(digest)).expect("an entry");
        file.set_modified(SystemTime::now() - Duration::from_secs(ago))
            .expect("its time can be set");
    };
    cache.put(&a, &code).expect("there is room");
    cache.put(&b, &code).expect("there is room");
    used(&a, 20);
    used(&b, 10);
    cache.get(&a).expect("it was kept");
    fs::write(directory.path().join("unfinished-1"), "a crash").expect("a file");
    fs::write(directory.path().join("notes"), "not ours").expect("a file");
    cache.put(&c, &code).expect("room is made");
    assert!(cache.has(&a) && !cache.has(&b) && cache.has(&c));
    assert!(!directory.path().join("unfinished-1").exists());
    assert!(directory.path().join("notes").exists());
}

#[test]
fn code_that_is_larger_than_the_cache_is_not_kept() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let cache = cache(directory.path(), 1 << 10, 1, COMPATIBILITY);
    let error = cache.put(&digest("a"), &code()).expect_err("no room");
    assert!(error.to_string().contains("AIRLOCK_CODE_CACHE"), "{error}");
    assert_eq!(
        fs::read_dir(directory.path()).expect("a directory").count(),
        0
    );
}
