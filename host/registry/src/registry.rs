//! The operations that change which apps are published.
//!
//! Each is one transaction, then one swap of the snapshot, then the end of the leases that died with it, in this order and
//! under one lock, so that file and memory change in the same order. When an operation returns, no request finds the old
//! address any more, and those that run on it have been told.
//!
//! An operation that began is finished even if its future is dropped: a change that is in the file but not in memory would
//! leave a revoked address open until the next start.

mod describe;
mod publish;
mod tasks;

use std::{
    fmt,
    panic::resume_unwind,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use arc_swap::ArcSwap;
use sqlx::{Connection as _, SqliteConnection, migrate::Migrator};
use tokio::sync::{Mutex, MutexGuard, watch};

use crate::{
    app::{AppId, AppRecord},
    bounds,
    channel::Channel,
    digest::Digest,
    error::Error,
    home::{Home, HomeLock},
    keys::MasterKey,
    open::{self, MIGRATOR, OpenError},
    secret::Secret,
    snapshot::{Change, Row, Snapshot},
    store,
    vault::Vault,
};

/// The registry of one home. Clones are the same registry; the home's lock is held until the last one is dropped.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

struct Inner {
    home: HomeLock,
    vault: Arc<Vault>,
    /// The one connection, for writes and for the rare read of a component. `None` once closed.
    db: Mutex<Option<SqliteConnection>>,
    snapshot: ArcSwap<Snapshot>,
    /// The snapshot's generation, for those who wait for the next.
    generation: watch::Sender<u64>,
    channel: Channel,
}

/// What an operation does, decided against the snapshot under the lock.
struct Plan<T> {
    /// `None` where everything is as it should be already.
    change: Option<Change>,
    /// A component that comes with the change.
    component: Option<(Digest, Vec<u8>)>,
    answer: T,
}

impl Registry {
    /// Opens the registry of a home, making it at the first start. It holds the home's lock from now on.
    ///
    /// # Errors
    /// [`OpenError`]; the lock is let go then.
    pub async fn open(home: HomeLock, key: &MasterKey) -> Result<Self, OpenError> {
        Self::open_with(home, key, &MIGRATOR).await
    }

    pub(crate) async fn open_with(
        home: HomeLock,
        key: &MasterKey,
        migrator: &Migrator,
    ) -> Result<Self, OpenError> {
        let vault = Arc::new(Vault::new(key));
        let (db, rows) = open::open(&home, key, &vault, migrator).await?;
        tracing::info!(apps = rows.len(), path = %home.db().display(), "registry opened");
        let snapshot = Snapshot::new(Arc::clone(&vault), rows);
        Ok(Self {
            inner: Arc::new(Inner {
                home,
                vault,
                db: Mutex::new(Some(db)),
                generation: watch::Sender::new(snapshot.generation),
                snapshot: ArcSwap::from_pointee(snapshot),
                channel: Channel::new(),
            }),
        })
    }

    /// Waits for the operation that runs, then closes the file. Later operations answer [`Error::Closed`]; the last
    /// snapshot stays readable.
    ///
    /// # Errors
    /// [`Error::Storage`]; the file is whole all the same, SQLite finishes its log at the next start.
    pub async fn close(&self) -> Result<(), Error> {
        match self.inner.db.lock().await.take() {
            Some(db) => Ok(db.close().await?),
            None => Ok(()),
        }
    }

    /// The home whose lock this holds.
    pub fn home(&self) -> &Home {
        &self.inner.home
    }

    /// All apps as they are now. Takes no lock.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.inner.snapshot.load_full()
    }

    /// The generation of the snapshot, and a way to wait for the next one. The snapshot is there before its generation.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.inner.generation.subscribe()
    }

    /// Between all who serve from this registry.
    pub fn channel(&self) -> &Channel {
        &self.inner.channel
    }

    /// The code of an app's address, enabled or not; `None` if it was never enabled. Takes no lock.
    ///
    /// # Errors
    /// [`Error::UnknownApp`].
    pub fn address(&self, id: &AppId) -> Result<Option<Secret>, Error> {
        address_of(self.snapshot().row(id)?, &self.inner.vault)
    }

    /// Dify's key of an app, for one call. Takes no lock.
    ///
    /// # Errors
    /// [`Error::UnknownApp`]: it may have been removed since the caller got its lease.
    pub fn app_key(&self, id: &AppId) -> Result<Secret, Error> {
        let snapshot = self.snapshot();
        self.inner
            .vault
            .open_key(id, &snapshot.row(id)?.sealed_key)
            .map_err(|_| Error::Unsealable)
    }

    /// A component that an app uses. Waits for the operation that runs.
    ///
    /// # Errors
    /// [`Error::DamagedComponent`], [`Error::Storage`], [`Error::Closed`].
    pub async fn component(&self, digest: &Digest) -> Result<Option<Vec<u8>>, Error> {
        let mut db = self.inner.db.lock().await;
        match store::component(opened(&mut db)?, digest).await? {
            Some(bytes) if Digest::of(&bytes) != *digest => Err(Error::DamagedComponent(*digest)),
            found => Ok(found),
        }
    }

    /// Runs an operation in a task of its own, which outlives this future.
    async fn change<T: Send + 'static>(
        &self,
        plan: impl FnOnce(&Snapshot, &Vault) -> Result<Plan<T>, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let inner = Arc::clone(&self.inner);
        match tokio::spawn(async move { inner.change(plan).await }).await {
            Ok(answer) => answer,
            Err(gone) if gone.is_panic() => resume_unwind(gone.into_panic()),
            Err(_) => Err(Error::Closed),
        }
    }
}

impl Inner {
    async fn change<T>(
        &self,
        plan: impl FnOnce(&Snapshot, &Vault) -> Result<Plan<T>, Error>,
    ) -> Result<T, Error> {
        let mut db = self.db.lock().await;
        let db = opened(&mut db)?;
        let now = self.snapshot.load_full();
        let Plan {
            change,
            component,
            answer,
        } = plan(&now, &self.vault)?;
        if let Some(change) = change {
            commit(db, &now, &change, component).await?;
            let (next, died) = now.after(change);
            let generation = next.generation;
            self.snapshot.store(Arc::new(next));
            if let Some(revoked) = died {
                revoked.cancel();
            }
            self.generation.send_replace(generation);
        }
        Ok(answer)
    }
}

/// The change, the component that it brings and the one that it leaves without a user: all or nothing.
async fn commit(
    db: &mut SqliteConnection,
    now: &Snapshot,
    change: &Change,
    component: Option<(Digest, Vec<u8>)>,
) -> Result<(), Error> {
    // A transaction that only later turns into a writing one is refused, without waiting, if somebody wrote meanwhile.
    let mut transaction = db.begin_with("BEGIN IMMEDIATE").await?;
    if let Some((digest, bytes)) = component {
        store::put_component(&mut transaction, &digest, bytes).await?;
    }
    let (id, guest) = match change {
        Change::Put(row) => {
            store::put(&mut transaction, row).await?;
            (&row.record.id, row.record.guest)
        }
        Change::Remove(id) => {
            store::remove(&mut transaction, id).await?;
            (id, None)
        }
    };
    let before = now.get(id.as_str()).and_then(|app| app.guest);
    if let Some(left) = before.filter(|left| Some(*left) != guest) {
        store::drop_unused_component(&mut transaction, &left).await?;
    }
    Ok(transaction.commit().await?)
}

impl<T> Plan<T> {
    fn nothing(answer: T) -> Self {
        Self {
            change: None,
            component: None,
            answer,
        }
    }

    fn put(row: Row, answer: T) -> Self {
        Self {
            change: Some(Change::Put(Box::new(row))),
            component: None,
            answer,
        }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("home", &self.inner.home.root())
            .finish_non_exhaustive()
    }
}

fn opened<'a>(
    db: &'a mut MutexGuard<'_, Option<SqliteConnection>>,
) -> Result<&'a mut SqliteConnection, Error> {
    db.as_mut().ok_or(Error::Closed)
}

fn address_of(row: &Row, vault: &Vault) -> Result<Option<Secret>, Error> {
    let Some(sealed) = &row.sealed_address else {
        return Ok(None);
    };
    vault
        .open_address(&row.record.id, sealed)
        .map(Some)
        .map_err(|_| Error::Unsealable)
}

fn named(guest: Option<Vec<u8>>) -> Result<Option<(Digest, Vec<u8>)>, Error> {
    let Some(bytes) = guest else { return Ok(None) };
    bounds::component(&bytes)?;
    Ok(Some((Digest::of(&bytes), bytes)))
}

/// The record as it is, changed now.
fn changed(row: &Row) -> AppRecord {
    AppRecord {
        updated_at: unix_seconds(),
        ..AppRecord::clone(&row.record)
    }
}

fn unix_seconds() -> i64 {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    elapsed.as_secs().cast_signed()
}

#[cfg(test)]
mod tests;
