//! Compiled guests on disk, in the home's `cache/`: one file for each component and compatibility of engines. The files are
//! machine code that will be run, so each carries a tag under a key of this installation, and one that does not fit is not
//! used. All of them may be deleted at any time.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use airlock_registry::Digest;
use airlock_sandbox::Compiled;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// What a file begins with, after its tag.
const MAGIC: &[u8; 16] = b"airlock code 1\n\n";
const TAG: usize = 32;
/// Tag, magic, digest, compatibility.
const HEADER: usize = TAG + MAGIC.len() + 32 + 8;
const EXTENSION: &str = "code";
/// Files that are not whole yet begin with this.
const UNFINISHED: &str = "unfinished-";

/// Where the cache is, how large, and under which key.
pub struct CacheConfig {
    /// The directory; it is there.
    pub directory: PathBuf,
    /// Bytes of all its files. What was not used for the longest time makes room.
    pub bytes: u64,
    /// For the tags, and for nothing else.
    pub key: Zeroizing<[u8; 32]>,
}

/// The files.
pub(super) struct Cache {
    directory: PathBuf,
    bytes: u64,
    mac: Hmac<Sha256>,
    compatibility: u64,
}

/// Why an entry is not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    /// There is none.
    #[error("there is none")]
    Absent,
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// Too short to be one.
    #[error("it is cut short")]
    Truncated,
    /// The tag is not that of these bytes under this installation's key.
    #[error("this installation did not write it, or it was changed since")]
    Forged,
    /// An entry of ours in the place of another.
    #[error("it is the entry of another component")]
    Misplaced,
    /// The engine does not take it.
    #[error(transparent)]
    Refused(#[from] airlock_sandbox::Refusal),
}

impl Cache {
    pub(super) fn new(config: CacheConfig, compatibility: u64) -> Self {
        Self {
            directory: config.directory,
            bytes: config.bytes,
            mac: Hmac::new_from_slice(&config.key[..]).expect("HMAC takes keys of any length"),
            compatibility,
        }
    }

    /// Is there an entry? Whether it can be used, only [`get`](Self::get) finds out.
    pub(super) fn has(&self, digest: &Digest) -> bool {
        self.path(digest).is_file()
    }

    /// The code of a component, if it was kept and nobody has touched it. Reads the whole file: call it where blocking is
    /// allowed.
    pub(super) fn get(&self, digest: &Digest) -> Result<Compiled, Unusable> {
        let path = self.path(digest);
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Unusable::Absent),
            opened => opened?,
        };
        let mut entry = Vec::new();
        let length = file.metadata()?.len().min(self.bytes);
        entry.reserve_exact(usize::try_from(length).unwrap_or(0));
        // No larger one was ever written.
        (&mut file).take(self.bytes).read_to_end(&mut entry)?;
        let (tag, rest) = entry
            .split_first_chunk::<TAG>()
            .ok_or(Unusable::Truncated)?;
        if entry.len() < HEADER {
            return Err(Unusable::Truncated);
        }
        let mac = self.mac.clone().chain_update(rest);
        mac.verify_slice(tag).map_err(|_| Unusable::Forged)?;
        if rest.get(..HEADER - TAG) != Some(&self.header(digest)[..]) {
            return Err(Unusable::Misplaced);
        }
        // For the order in which entries make room; where it fails, this one goes earlier.
        let _ = file.set_modified(SystemTime::now());
        Ok(authenticated(entry.split_off(HEADER)))
    }

    /// Keeps the code of a component, in the place of what was there.
    ///
    /// # Errors
    /// What the system said; there is no entry then, or the old one.
    pub(super) fn put(&self, digest: &Digest, compiled: &Compiled) -> io::Result<()> {
        let code = compiled.as_bytes();
        if (HEADER + code.len()) as u64 > self.bytes {
            return Err(io::Error::other(format!(
                "it has {} bytes, and the whole cache has room for {} (AIRLOCK_CODE_CACHE)",
                code.len(),
                self.bytes
            )));
        }
        let header = self.header(digest);
        let mac = self.mac.clone().chain_update(&header).chain_update(code);
        let mut file = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempfile_in(&self.directory)?;
        file.write_all(&mac.finalize().into_bytes())?;
        file.write_all(&header)?;
        file.write_all(code)?;
        // Not synced: what a power cut leaves of it does not carry its tag.
        file.persist(self.path(digest))
            .map_err(|error| error.error)?;
        self.make_room()
    }

    /// Removes what was not used for the longest time until the rest fits, and what a crash has left unfinished.
    fn make_room(&self) -> io::Result<()> {
        let mut entries = Vec::new();
        for found in fs::read_dir(&self.directory)? {
            let path = found?.path();
            let Ok(about) = fs::symlink_metadata(&path) else {
                continue;
            };
            if path.extension().is_some_and(|it| it == EXTENSION) {
                let used = about.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                entries.push((used, about.len(), path));
            } else if is_unfinished(&path) {
                // One process has the home, and compiles one component at a time: it is not being written.
                fs::remove_file(path)?;
            }
        }
        let mut all: u64 = entries.iter().map(|(_, length, _)| length).sum();
        entries.sort();
        for (_, length, path) in entries {
            if all <= self.bytes {
                break;
            }
            fs::remove_file(path)?;
            all -= length;
        }
        Ok(())
    }

    fn header(&self, digest: &Digest) -> Vec<u8> {
        let compatibility = self.compatibility.to_le_bytes();
        [&MAGIC[..], digest.as_bytes(), &compatibility].concat()
    }

    pub(super) fn path(&self, digest: &Digest) -> PathBuf {
        let digest = data_encoding::HEXLOWER.encode(digest.as_bytes());
        let name = format!("{digest}-{:016x}.{EXTENSION}", self.compatibility);
        self.directory.join(name)
    }
}

fn is_unfinished(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with(UNFINISHED))
}

#[expect(
    unsafe_code,
    reason = "code from a disk is code that this process did not see being made"
)]
fn authenticated(code: Vec<u8>) -> Compiled {
    // SAFETY: its tag was made under this installation's key for the code cache, which is derived from the master key and
    // used for nothing else but what `Cache::put` writes: code that this program compiled. The bytes are memory of ours, and
    // no mapped file that could change after they were judged.
    unsafe { Compiled::from_bytes(code) }
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
