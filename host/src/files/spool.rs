//! Files that are served later: sealed on disk, bounded in bytes and time, known to this process alone.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use airlock_registry::Sealer;
use bytes::Bytes;
use data_encoding::HEXLOWER;
use tokio_util::sync::CancellationToken;

/// How often what has expired is removed, at most.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// An app may fill this part of the spool: others have files too.
const PART: usize = 4;

/// The bounds of the spool.
#[derive(Debug, Clone, Copy)]
pub struct SpoolBounds {
    /// Bytes of all files.
    pub bytes: usize,
    /// How long a file is kept.
    pub ttl: Duration,
}

/// The directory, and what is in it. What an earlier process left there is removed: its books are gone.
pub struct Spool {
    directory: PathBuf,
    bounds: SpoolBounds,
    sealer: Sealer,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    files: HashMap<String, File>,
    /// The same names, oldest first. All live equally long.
    order: VecDeque<String>,
    bytes: usize,
}

struct File {
    app: String,
    bytes: usize,
    until: Instant,
}

/// Why a file is not kept. The words are for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotKept {
    /// Other files fill the spool.
    #[error("this server keeps as many files as it may; try again later")]
    Full,
    /// The disk failed; the log says how.
    #[error("this server could not store it")]
    Disk,
}

impl Spool {
    /// Empties the directory.
    ///
    /// # Errors
    /// When it cannot be read or emptied.
    pub fn open(directory: PathBuf, sealer: Sealer, bounds: SpoolBounds) -> io::Result<Self> {
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(Self {
            directory,
            bounds,
            sealer,
            kept: Mutex::default(),
        })
    }

    /// How long a file is kept.
    #[must_use]
    pub fn ttl(&self) -> Duration {
        self.bounds.ttl
    }

    /// Keeps a file of an app's, in place of the oldest ones of that app where there is no room. What comes back is the
    /// name by which [`Spool::get`] knows it.
    ///
    /// # Errors
    /// [`NotKept`].
    pub async fn put(self: &Arc<Self>, app: &str, bytes: Bytes) -> Result<String, NotKept> {
        let name = name();
        let removed = self.reserve(app, &name, bytes.len())?;
        let (spool, app, file) = (Arc::clone(self), app.to_owned(), name.clone());
        let written = tokio::task::spawn_blocking(move || -> io::Result<()> {
            removed.iter().for_each(|name| spool.delete(name));
            spool.write(&app, &file, &bytes)?;
            // It may have had to give way before it was there.
            if !spool.has(&app, &file) {
                spool.delete(&file);
            }
            Ok(())
        });
        match written.await {
            Ok(Ok(())) => Ok(name),
            failed => {
                let cause = match failed {
                    Ok(Err(error)) => error.to_string(),
                    _ => "the thread that wrote it is gone".to_owned(),
                };
                tracing::error!(cause, "a file could not be spooled");
                self.locked().forget(&name);
                Err(NotKept::Disk)
            }
        }
    }

    /// The file of this name, if it is this app's and its time is not over.
    pub async fn get(self: &Arc<Self>, app: &str, name: &str) -> Option<Bytes> {
        if !self.has(app, name) {
            return None;
        }
        let (spool, app, name) = (Arc::clone(self), app.to_owned(), name.to_owned());
        let read = tokio::task::spawn_blocking(move || {
            let sealed = fs::read(spool.path(&name)).ok()?;
            let plain = spool.sealer.open(&aad(&app, &name), &sealed).ok()?;
            Some(Bytes::copy_from_slice(&plain))
        });
        read.await.ok()?
    }

    /// Is the file there?
    #[must_use]
    pub fn has(&self, app: &str, name: &str) -> bool {
        let kept = self.locked();
        let file = kept.files.get(name);
        file.is_some_and(|file| file.app == app && file.until > Instant::now())
    }

    /// Removes what has expired, again and again until `stop`.
    pub async fn sweep(self: Arc<Self>, stop: CancellationToken) {
        let every = SWEEP_EVERY
            .min(self.bounds.ttl)
            .max(Duration::from_millis(100));
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(every) => {}
            }
            let expired = self.locked().expired();
            if !expired.is_empty() {
                let spool = Arc::clone(&self);
                let removing = tokio::task::spawn_blocking(move || {
                    expired.iter().for_each(|name| spool.delete(name));
                });
                if removing.await.is_err() {
                    tracing::error!("expired files of the spool were not removed");
                }
            }
        }
    }

    /// Makes room, and takes it. The names of files that had to go for it come back.
    fn reserve(&self, app: &str, name: &str, bytes: usize) -> Result<Vec<String>, NotKept> {
        let mut kept = self.locked();
        let mut gone = kept.expired();
        loop {
            let own: usize = kept.of(app).map(|(_, file)| file.bytes).sum();
            let fits =
                own + bytes <= self.bounds.bytes / PART && kept.bytes + bytes <= self.bounds.bytes;
            if fits {
                break;
            }
            // Only the app's own files give way: no app pushes another's out.
            let Some(oldest) = kept.of(app).map(|(name, _)| name.clone()).next() else {
                drop(kept);
                gone.iter().for_each(|name| self.delete(name));
                return Err(NotKept::Full);
            };
            kept.forget(&oldest);
            gone.push(oldest);
        }
        kept.bytes += bytes;
        kept.order.push_back(name.to_owned());
        let file = File {
            app: app.to_owned(),
            bytes,
            until: Instant::now() + self.bounds.ttl,
        };
        kept.files.insert(name.to_owned(), file);
        Ok(gone)
    }

    fn write(&self, app: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
        let sealed = self.sealer.seal(&aad(app, name), bytes);
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.path(name))?;
        file.write_all(&sealed)
    }

    fn delete(&self, name: &str) {
        match fs::remove_file(self.path(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::error!(%error, "a file of the spool could not be removed");
            }
            _ => {}
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(&self.directory).join(name)
    }

    /// Every holder leaves the books whole.
    fn locked(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// The app's files, oldest first.
    fn of(&self, app: &str) -> impl Iterator<Item = (&String, &File)> {
        let named = self.order.iter();
        named.filter_map(move |name| {
            let file = self.files.get(name).filter(|file| file.app == app)?;
            Some((name, file))
        })
    }

    fn forget(&mut self, name: &str) {
        if let Some(file) = self.files.remove(name) {
            self.bytes -= file.bytes;
            self.order.retain(|known| known != name);
        }
    }

    /// Forgets what has expired, and says what that was.
    fn expired(&mut self) -> Vec<String> {
        let now = Instant::now();
        let mut gone = Vec::new();
        while let Some(oldest) = self.order.front() {
            if self.files.get(oldest).is_some_and(|file| file.until > now) {
                break;
            }
            let oldest = oldest.clone();
            self.forget(&oldest);
            gone.push(oldest);
        }
        gone
    }
}

impl std::fmt::Debug for Spool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Spool")
    }
}

/// Nothing leads from one name to another.
fn name() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system's generator answers once it was seeded at boot");
    HEXLOWER.encode(&bytes)
}

/// A file opens for its app and under its name alone.
fn aad(app: &str, name: &str) -> Vec<u8> {
    format!("spool\0{app}\0{name}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spool(directory: &Path, bytes: usize, ttl: Duration) -> Arc<Spool> {
        let bounds = SpoolBounds { bytes, ttl };
        let spool = Spool::open(directory.to_owned(), Sealer::new(&[1; 32]), bounds);
        Arc::new(spool.expect("an empty directory"))
    }

    fn on_disk(directory: &Path) -> usize {
        fs::read_dir(directory).expect("it is there").count()
    }

    const HOUR: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn a_file_comes_back_to_its_app_alone_and_lies_sealed() {
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join("left"), "over").expect("written");
        let spool = spool(directory.path(), 4000, HOUR);
        assert_eq!(on_disk(directory.path()), 0, "what was left is removed");
        let (mine, other) = ("mine", "other");
        let name = spool
            .put(mine, Bytes::from_static(b"some words"))
            .await
            .expect("room");
        assert_eq!(
            spool.get(mine, &name).await.as_deref(),
            Some(&b"some words"[..])
        );
        assert_eq!(spool.get(other, &name).await, None);
        assert_eq!(spool.get(mine, "../airlock.db").await, None);
        let sealed = fs::read(directory.path().join(&name)).expect("it is there");
        assert!(!sealed.windows(4).any(|part| part == b"word"));
    }

    #[tokio::test]
    async fn an_app_s_own_oldest_files_give_way_and_nobody_else_s() {
        let directory = tempfile::tempdir().expect("a directory");
        let spool = spool(directory.path(), 400, HOUR);
        let (app, other) = ("mine", "other");
        let file = |length| Bytes::from(vec![0; length]);
        let theirs = spool.put(other, file(60)).await.expect("room");
        let first = spool.put(app, file(60)).await.expect("room");
        let second = spool
            .put(app, file(60))
            .await
            .expect("in the place of the first");
        assert!(!spool.has(app, &first) && spool.has(app, &second) && spool.has(other, &theirs));
        assert_eq!(on_disk(directory.path()), 2);
        assert_eq!(spool.put(app, file(101)).await, Err(NotKept::Full));
        assert!(spool.has(other, &theirs));
    }

    #[tokio::test]
    async fn what_has_expired_is_gone_from_the_books_and_from_the_disk() {
        let directory = tempfile::tempdir().expect("a directory");
        let spool = spool(directory.path(), 400, Duration::from_millis(50));
        let app = "app";
        let name = spool
            .put(app, Bytes::from_static(b"x"))
            .await
            .expect("room");
        let stop = CancellationToken::new();
        let sweeping = tokio::spawn(Arc::clone(&spool).sweep(stop.clone()));
        while on_disk(directory.path()) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(spool.get(app, &name).await, None);
        assert_eq!(spool.locked().bytes, 0);
        stop.cancel();
        sweeping.await.expect("it ends");
    }
}
