//! The master key and what is derived from it.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{code, home::HomeLock};

/// Longest key file that is read: the key is one line of 64 characters, and whoever names `/dev/zero` gets an error.
const MAX_FILE: u64 = 1024;

/// The 32 random bytes from which every other key is derived. `Debug` prints the type's name alone.
pub struct MasterKey(Zeroizing<[u8; 32]>);

/// What a derived key is for. One purpose, one key, one algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Sealing Dify app keys at rest.
    AppKeys,
    /// Finding the app of a Dify app key by keyed hash.
    AppKeyFingerprints,
    /// Sealing address codes at rest.
    Addresses,
    /// Finding the app of an address by keyed hash.
    AddressHashes,
    /// Signing legacy session tokens.
    Sessions,
    /// Sealing the state of a call that waits for a person.
    RequestState,
    /// Sealing the state of tasks.
    Tasks,
    /// Signing the ids of tasks, which clients hold.
    TaskIds,
    /// Sealing Dify's conversation ids, which clients hold as handles.
    Conversations,
    /// Sealing the handles of files, which clients hold.
    Files,
    /// Sealing files on disk while they wait to be read.
    Spool,
    /// Sealing what a run waits for, which clients hold as handles.
    Pauses,
    /// Making Dify's `user` from the caller.
    Users,
    /// Authenticating compiled components, which are native code.
    CodeCache,
}

impl Purpose {
    /// HKDF's `info`. Frozen: another word is another key.
    fn label(self) -> &'static str {
        match self {
            Self::AppKeys => "airlock/1/app-keys",
            Self::AppKeyFingerprints => "airlock/1/app-key-fingerprints",
            Self::Addresses => "airlock/1/addresses",
            Self::AddressHashes => "airlock/1/address-hashes",
            Self::Sessions => "airlock/1/sessions",
            Self::RequestState => "airlock/1/request-state",
            Self::Tasks => "airlock/1/tasks",
            Self::TaskIds => "airlock/1/task-ids",
            Self::Conversations => "airlock/1/conversations",
            Self::Files => "airlock/1/files",
            Self::Spool => "airlock/1/spool",
            Self::Pauses => "airlock/1/pauses",
            Self::Users => "airlock/1/users",
            Self::CodeCache => "airlock/1/code-cache",
        }
    }
}

/// Why there is no master key. For the operator; never holds a byte of a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A registry is there, its key is not. A new key could open nothing in it.
    #[error(
        "the registry {} is there, but its key {} is not: put the key back from a backup, or name it in \
         AIRLOCK_MASTER_KEY_FILE; without it the app keys and addresses are lost, and the only way on is an empty home",
        registry.display(), key.display()
    )]
    Missing {
        /// The registry.
        registry: PathBuf,
        /// Where its key should be.
        key: PathBuf,
    },
    /// Others could read or change the key.
    #[error(
        "the master key {} has mode {mode:04o}, so that other users can reach it: `chmod 0400` it (for a mounted \
         secret: on the host in Compose, `defaultMode: 0400` in Kubernetes)",
        path.display()
    )]
    Exposed {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds something else.
    #[error(
        "{} holds no master key: it must be one line, 32 random bytes in base64 or hexadecimal \
         (`openssl rand -base64 32`)",
        path.display()
    )]
    Malformed {
        /// The key file.
        path: PathBuf,
    },
    /// The file cannot be read, or could not be written at the first start.
    #[error("the master key {} cannot be read or made: {source}", path.display())]
    Io {
        /// The key file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl MasterKey {
    /// Reads the key from `file` (`AIRLOCK_MASTER_KEY_FILE`) if one is named, else from the home; at a home's first start
    /// it is made there, readable by its owner alone.
    ///
    /// A key in the home must be closed to everybody else. One that the operator names may be readable by its group:
    /// Kubernetes gives a mounted secret to a container without root in no other way.
    ///
    /// # Errors
    /// [`KeyError`]; nothing was written then, unless writing a first key is what failed.
    pub fn load(home: &HomeLock, file: Option<&Path>) -> Result<Self, KeyError> {
        let own = home.master_key();
        let path = file.unwrap_or(&own);
        let io = |source| KeyError::Io {
            path: path.to_owned(),
            source,
        };
        let opened = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && file.is_none() => {
                if home.has_registry().map_err(io)? {
                    return Err(KeyError::Missing {
                        registry: home.db(),
                        key: own,
                    });
                }
                return Self::create(&own).map_err(io);
            }
            other => other.map_err(io)?,
        };
        let mode = opened.metadata().map_err(io)?.permissions().mode() & 0o777;
        let closed_to_others = if file.is_some() { 0o037 } else { 0o077 };
        if mode & closed_to_others != 0 {
            return Err(KeyError::Exposed {
                path: path.to_owned(),
                mode,
            });
        }
        let mut line = Zeroizing::new(Vec::with_capacity(128));
        opened.take(MAX_FILE).read_to_end(&mut line).map_err(io)?;
        Self::parse(&line).ok_or_else(|| KeyError::Malformed {
            path: path.to_owned(),
        })
    }

    /// Under another name first: a crash leaves no half-written key.
    fn create(path: &Path) -> io::Result<Self> {
        let mut key = Zeroizing::new([0; 32]);
        code::fill(&mut *key);
        let mut line = Zeroizing::new(HEXLOWER.encode(&*key));
        line.push('\n');
        let unfinished = path.with_extension("key.new");
        // One that a crash left may have another mode.
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&unfinished)?;
        file.write_all(line.as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        if let Some(directory) = path.parent() {
            File::open(directory)?.sync_all()?;
        }
        Ok(Self(key))
    }

    fn parse(line: &[u8]) -> Option<Self> {
        let line = line.trim_ascii();
        let encoding = if line.len() == 64 {
            HEXLOWER_PERMISSIVE
        } else {
            BASE64
        };
        let bytes = Zeroizing::new(encoding.decode(line).ok()?);
        Some(Self(Zeroizing::new(bytes.as_slice().try_into().ok()?)))
    }

    /// Tells keys apart without giving anything away: 16 hexadecimal digits, stored in the registry.
    pub fn id(&self) -> String {
        let mut id = [0; 8];
        self.expand("airlock/1/key-id", &mut id);
        HEXLOWER.encode(&id)
    }

    /// The key for one purpose.
    pub fn derive(&self, purpose: Purpose) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        self.expand(purpose.label(), &mut *key);
        key
    }

    fn expand(&self, label: &str, out: &mut [u8]) {
        // No salt: the key is uniformly random already (RFC 5869, section 3.1).
        let hkdf = Hkdf::<Sha256>::new(None, &*self.0);
        hkdf.expand(label.as_bytes(), out)
            .expect("HKDF gives up to 255 times 32 bytes");
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey")
    }
}

#[cfg(test)]
mod tests;
