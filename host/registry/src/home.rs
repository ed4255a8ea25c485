//! The directory where all of Airlock's state lives, and the lock on it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    ops::Deref,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

/// `AIRLOCK_HOME`: `airlock.db`, `master.key`, `admin.sock`, and the disposable `cache/` and `spool/`.
#[derive(Debug, Clone)]
pub struct Home {
    root: PathBuf,
}

/// A [`Home`] that no other process may write to. The lock is the kernel's: it is gone when this value is dropped or the
/// process ends, however it ends.
#[derive(Debug)]
pub struct HomeLock {
    home: Home,
    /// Held open for the lock on it.
    _file: File,
}

/// Why a home cannot be used. For the operator.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// Another process holds the lock.
    #[error(
        "another airlock serves this home, {}: let it do the work (the CLI asks it through admin.sock), stop it, \
         or set AIRLOCK_HOME to another directory",
        home.display()
    )]
    Held {
        /// The home.
        home: PathBuf,
    },
    /// The directory or the lock file cannot be made or opened.
    #[error("{} cannot be used as AIRLOCK_HOME ({source}): it must be a directory that this user can write to", path.display())]
    Io {
        /// What was touched.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Home {
    /// Makes the directory and its disposable parts where they are missing, readable by this user alone (0700). A
    /// directory that is there keeps its mode: a mounted volume's is not ours to change.
    ///
    /// # Errors
    /// [`HomeError::Io`].
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, HomeError> {
        let home = Self { root: root.into() };
        for path in [home.root.clone(), home.cache(), home.spool()] {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
            made.map_err(|source| HomeError::Io { path, source })?;
        }
        Ok(home)
    }

    /// Makes the caller the only writer, without waiting.
    ///
    /// # Errors
    /// [`HomeError::Held`] while another process, or another lock of this one, has it.
    pub fn lock(&self) -> Result<HomeLock, HomeError> {
        let path = self.root.join("lock");
        let io = |source| HomeError::Io {
            path: path.clone(),
            source,
        };
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(io)?;
        match file.try_lock() {
            Ok(()) => Ok(HomeLock {
                home: self.clone(),
                _file: file,
            }),
            Err(TryLockError::WouldBlock) => Err(HomeError::Held {
                home: self.root.clone(),
            }),
            Err(TryLockError::Error(source)) => Err(io(source)),
        }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The registry's SQLite file; SQLite keeps `-wal` and `-shm` files beside it.
    pub fn db(&self) -> PathBuf {
        self.root.join("airlock.db")
    }

    /// Where the master key is, unless the operator keeps it elsewhere.
    pub fn master_key(&self) -> PathBuf {
        self.root.join("master.key")
    }

    /// The admin API's socket.
    pub fn socket(&self) -> PathBuf {
        self.root.join("admin.sock")
    }

    /// Compiled components; may be deleted at any time.
    pub fn cache(&self) -> PathBuf {
        self.root.join("cache")
    }

    /// Files that are served later; may be deleted while no server runs.
    pub fn spool(&self) -> PathBuf {
        self.root.join("spool")
    }

    /// Is there a registry? An empty file is none: SQLite makes one before it writes the first page.
    pub(crate) fn has_registry(&self) -> io::Result<bool> {
        match fs::metadata(self.db()) {
            Ok(found) => Ok(found.len() > 0),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Deref for HomeLock {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.home
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_new_home_is_readable_by_its_owner_alone() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let home = Home::open(directory.path().join("deep/home")).expect("a writable place");
        for path in [home.root().to_owned(), home.cache(), home.spool()] {
            let mode = fs::metadata(&path)
                .expect("it was made")
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o700, "{}", path.display());
        }
    }

    #[test]
    fn a_held_home_is_refused_until_it_is_let_go() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let home = Home::open(directory.path()).expect("a writable place");
        let lock = home.lock().expect("nobody else is here");
        let refusal = home.lock().expect_err("the lock is held");
        assert!(matches!(refusal, HomeError::Held { .. }), "{refusal}");
        assert!(
            refusal
                .to_string()
                .contains("another airlock serves this home"),
            "{refusal}"
        );
        drop(lock);
        home.lock().expect("it was let go");
    }

    #[test]
    fn a_file_is_no_home() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        let refusal = Home::open(file.path()).expect_err("a file is not a directory");
        assert!(refusal.to_string().contains("AIRLOCK_HOME"), "{refusal}");
    }
}
