use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use airlock_registry::{AppFacts, Described, Home, MasterKey, NewApp, Secret};
use zeroize::Zeroizing;

use super::*;

fn guests(program: Option<PathBuf>, cache: Option<&Path>, loaded: usize) -> Guests {
    let cache = cache.map(|directory| CacheConfig {
        directory: directory.to_owned(),
        bytes: 64 << 20,
        key: Zeroizing::new([1; 32]),
    });
    let config = GuestsConfig {
        engine: EngineConfig {
            instances: 1,
            threads: 1,
            pooling: false,
            ..EngineConfig::default()
        },
        compiler: CompilerConfig {
            program,
            size: 64 << 20,
            time: Duration::from_secs(60),
            memory: 1 << 30,
        },
        cache,
        loaded,
    };
    Guests::new(config).expect("a compiler")
}

/// The built-in guest under another digest: a custom section more.
fn marked(mark: u8) -> Vec<u8> {
    [BUILT_IN, &[0, 3, 1, b'm', mark]].concat()
}

#[tokio::test]
async fn guests_that_do_not_fit_into_memory_together_take_turns() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let guests = guests(None, Some(directory.path()), 1);
    for mark in [b'a', b'b', b'a', b'b'] {
        guests.take_in(marked(mark)).await.expect("a guest");
    }
    let counts = guests.counts();
    assert_eq!((counts.compiled, counts.cached), (2, 2));
    // The last one is there still.
    guests.take_in(marked(b'b')).await.expect("a guest");
    assert_eq!(guests.counts(), counts);
}

#[tokio::test]
async fn a_guest_that_is_in_memory_needs_neither_cache_nor_compiler() {
    let guests = guests(None, None, 64 << 20);
    for _ in 0..3 {
        guests.take_in(marked(b'a')).await.expect("a guest");
    }
    assert_eq!(guests.counts().compiled, 1);
    guests.retain(|_| false);
    guests.take_in(marked(b'a')).await.expect("a guest");
    assert_eq!(guests.counts().compiled, 2);
}

#[tokio::test]
async fn a_stored_guest_that_is_refused_does_not_keep_the_compiler_busy() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (program, runs) = (
        directory.path().join("script"),
        directory.path().join("runs"),
    );
    let script = format!(
        "#!/bin/sh\necho one >>{}\nprintf 'no good'; exit 3\n",
        runs.display()
    );
    std::fs::write(&program, script).expect("a file");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).expect("our file");
    let lock = Home::open(directory.path().join("home")).and_then(|home| home.lock());
    let lock = lock.expect("nobody else is here");
    let master = MasterKey::load(&lock, None).expect("a new key");
    let registry = Registry::open(lock, &master).await.expect("a new registry");
    let new = NewApp {
        key: Secret::new("app-1"),
        facts: AppFacts {
            name: "One".into(),
            mode: "chat".into(),
            description: String::new(),
            facts: serde_json::json!({}),
        },
        guest: Some(b"once it was a guest".to_vec()),
        described: Described {
            manifest: serde_json::json!({}),
            by: String::new(),
        },
        settings: Default::default(),
    };
    let guest = registry.add(new).await.expect("a new app").app.guest;
    let guests = guests(Some(program), None, 64 << 20);
    for _ in 0..3 {
        let refused = guests
            .component(&registry, guest)
            .await
            .err()
            .expect("it is refused");
        assert_eq!(refused.to_string(), "the guest is refused: no good");
    }
    assert_eq!(std::fs::read_to_string(runs).expect("it ran"), "one\n");
}
