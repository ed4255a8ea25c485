//! What the tests of several modules need: a home that goes away, and an app to put in it.

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde_json::json;
use tempfile::TempDir;

use crate::{
    AppFacts, Described, Digest, Home, HomeLock, MasterKey, NewApp, OpenError, Registry, Secret,
};

/// A home in a temporary directory, with the same master key at every start.
pub(crate) struct Stage {
    directory: TempDir,
    pub(crate) key: MasterKey,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().expect("a temporary directory"),
            key: master_key(1),
        }
    }

    pub(crate) fn home(&self) -> Home {
        Home::open(self.directory.path().join("home")).expect("a writable place")
    }

    pub(crate) fn lock(&self) -> HomeLock {
        self.home().lock().expect("nobody else is here")
    }

    pub(crate) async fn open(&self) -> Registry {
        self.try_open().await.expect("a sound registry")
    }

    pub(crate) async fn try_open(&self) -> Result<Registry, OpenError> {
        Registry::open(self.lock(), &self.key).await
    }

    /// Every file of the home by name, with its bytes; not the lock, which is empty and everybody's to make.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let home = self.home();
        let entries = fs::read_dir(home.root()).expect("our own directory");
        entries
            .map(|entry| entry.expect("our own directory").path())
            .filter(|path| path.is_file() && *path != home.root().join("lock"))
            .map(|path| (path.clone(), fs::read(&path).expect("our own file")))
            .collect()
    }

    /// The same, short enough to be printed where two differ.
    pub(crate) fn digests(&self) -> BTreeMap<PathBuf, Digest> {
        self.files()
            .into_iter()
            .map(|(path, bytes)| (path, Digest::of(&bytes)))
            .collect()
    }
}

/// A key of 32 equal bytes.
pub(crate) fn master_key(byte: u8) -> MasterKey {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let home = Home::open(directory.path())
        .expect("a writable place")
        .lock()
        .expect("nobody else is here");
    fs::write(
        home.master_key(),
        data_encoding::HEXLOWER.encode(&[byte; 32]),
    )
    .expect("a writable place");
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(home.master_key(), closed).expect("our own file");
    MasterKey::load(&home, None).expect("a good key")
}

/// The app of `key`, named and described after it.
pub(crate) fn app(key: &str) -> NewApp {
    NewApp {
        key: Secret::new(key),
        facts: facts(&format!("App of {key}")),
        guest: None,
        described: described("v1"),
        settings: [("tone".to_owned(), "kind".to_owned())].into(),
    }
}

pub(crate) fn facts(name: &str) -> AppFacts {
    AppFacts {
        name: name.to_owned(),
        mode: "workflow".to_owned(),
        description: "Sums things up".to_owned(),
        facts: json!({ "user_input_form": [{ "text-input": { "variable": "topic" } }] }),
    }
}

pub(crate) fn described(by: &str) -> Described {
    Described {
        manifest: json!({ "tools": [{ "name": "run", "by": by }] }),
        by: by.to_owned(),
    }
}
