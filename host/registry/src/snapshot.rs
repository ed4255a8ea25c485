//! The state in memory that every request reads.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    ops::Bound,
    sync::Arc,
};

use tokio_util::sync::CancellationToken;

use crate::{
    app::{AppId, AppRecord},
    error::Error,
    secret::Secret,
    vault::{Hash, Vault},
};

/// The right to serve requests on one address.
#[derive(Debug)]
pub struct Lease {
    /// The app as it was when the lease was taken.
    pub app: Arc<AppRecord>,
    /// Cancelled when the address dies (the app is disabled or removed, or its address replaced), and by nothing else: a
    /// running call outlives a new description, guest or form.
    pub revoked: CancellationToken,
}

/// All apps at one moment. Never changes; a change of the registry swaps in another one.
#[derive(Clone)]
pub struct Snapshot {
    /// Grows by one with every change. Counts from 1 in each process.
    pub generation: u64,
    vault: Arc<Vault>,
    rows: BTreeMap<AppId, Arc<Row>>,
    by_slug: BTreeMap<String, AppId>,
    by_address: HashMap<Hash, Arc<Lease>>,
    by_fingerprint: HashMap<Hash, AppId>,
}

/// An app with its secrets, which stay sealed here: whoever serves the app opens its key.
#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) record: Arc<AppRecord>,
    pub(crate) fingerprint: Hash,
    pub(crate) sealed_key: Vec<u8>,
    pub(crate) sealed_address: Option<Vec<u8>>,
    /// Present exactly while the app is enabled.
    pub(crate) served: Option<Served>,
}

/// How requests find an enabled app.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) address: Hash,
    pub(crate) lease: Arc<Lease>,
}

/// One change of one app.
pub(crate) enum Change {
    Put(Box<Row>),
    Remove(AppId),
}

// === impl Row ===

impl Row {
    /// The row with another record. Its address, and with it the token of those who use it, stays.
    pub(crate) fn with_record(&self, record: AppRecord) -> Self {
        let record = Arc::new(record);
        let served = self.served.as_ref().map(|served| Served {
            address: served.address,
            lease: Arc::new(Lease {
                app: Arc::clone(&record),
                revoked: served.lease.revoked.clone(),
            }),
        });
        Self {
            record,
            served,
            ..self.clone()
        }
    }

    /// Serves the row on `address` from now on, with a token of its own. `None` if that is no address.
    pub(crate) fn serve(&mut self, vault: &Vault, address: &Secret) -> Option<()> {
        let hash = vault.address_hash(address.expose())?;
        let lease = Arc::new(Lease {
            app: Arc::clone(&self.record),
            revoked: CancellationToken::new(),
        });
        self.served = Some(Served {
            address: hash,
            lease,
        });
        Some(())
    }
}

// === impl Snapshot ===

impl Snapshot {
    /// The lease of an enabled app, for what the server does of itself.
    pub fn lease(&self, id: &AppId) -> Option<Arc<Lease>> {
        let served = self.rows.get(id)?.served.as_ref()?;
        Some(Arc::clone(&served.lease))
    }

    pub(crate) fn new(vault: Arc<Vault>, rows: Vec<Row>) -> Self {
        let mut snapshot = Self {
            generation: 1,
            vault,
            rows: BTreeMap::new(),
            by_slug: BTreeMap::new(),
            by_address: HashMap::with_capacity(rows.len()),
            by_fingerprint: HashMap::with_capacity(rows.len()),
        };
        rows.into_iter().for_each(|row| snapshot.insert(row));
        snapshot
    }

    /// The next snapshot, and the token of the address that died with the change. Copies the indexes, not the apps: about
    /// a millisecond at the most apps there may be, and changes are rare.
    pub(crate) fn after(&self, change: Change) -> (Self, Option<CancellationToken>) {
        let mut next = self.clone();
        next.generation += 1;
        let id = match &change {
            Change::Put(row) => &row.record.id,
            Change::Remove(id) => id,
        };
        let before = next.take(id);
        let mut address = None;
        if let Change::Put(row) = change {
            address = row.served.as_ref().map(|served| served.address);
            next.insert(*row);
        }
        let died = before
            .and_then(|row| row.served.clone())
            .filter(|served| Some(served.address) != address);
        (next, died.map(|served| served.lease.revoked.clone()))
    }

    fn insert(&mut self, row: Row) {
        let record = &row.record;
        self.by_slug.insert(record.slug.clone(), record.id.clone());
        self.by_fingerprint
            .insert(row.fingerprint, record.id.clone());
        if let Some(served) = &row.served {
            self.by_address
                .insert(served.address, Arc::clone(&served.lease));
        }
        self.rows.insert(record.id.clone(), Arc::new(row));
    }

    fn take(&mut self, id: &AppId) -> Option<Arc<Row>> {
        let row = self.rows.remove(id)?;
        self.by_slug.remove(&row.record.slug);
        self.by_fingerprint.remove(&row.fingerprint);
        if let Some(served) = &row.served {
            self.by_address.remove(&served.address);
        }
        Some(row)
    }

    /// Every app, by slug.
    pub fn apps(&self) -> impl Iterator<Item = &Arc<AppRecord>> {
        self.by_slug.values().filter_map(|id| self.get(id.as_str()))
    }

    /// The app with exactly this id.
    pub fn get(&self, id: &str) -> Option<&Arc<AppRecord>> {
        self.rows.get(id).map(|row| &row.record)
    }

    /// The app that a person means: a slug, else an id, else the beginning of one id.
    ///
    /// # Errors
    /// [`Error::UnknownApp`] and [`Error::Ambiguous`].
    pub fn find(&self, word: &str) -> Result<&Arc<AppRecord>, Error> {
        let slug = self.by_slug.get(word).map(AppId::as_str);
        if let Some(app) = self.get(slug.unwrap_or(word)) {
            return Ok(app);
        }
        let from = (Bound::Included(word), Bound::Unbounded);
        let mut begun = self
            .rows
            .range::<str, _>(from)
            .take_while(|(id, _)| id.as_str().starts_with(word));
        match (begun.next().filter(|_| !word.is_empty()), begun.count()) {
            (None, _) => Err(Error::UnknownApp),
            (Some((_, row)), 0) => Ok(&row.record),
            (Some(_), more) => Err(Error::Ambiguous { count: more + 1 }),
        }
    }

    /// The lease of an enabled app's address. Unknown, replaced and disabled addresses are told apart by nobody. One hash
    /// of 32 bytes and one look into a map, without a lock.
    pub fn by_address(&self, code: &str) -> Option<Arc<Lease>> {
        self.by_address
            .get(&self.vault.address_hash(code)?)
            .cloned()
    }

    /// The app that was registered with this key.
    pub fn by_app_key(&self, key: &Secret) -> Option<&Arc<AppRecord>> {
        self.get(
            self.by_fingerprint
                .get(&self.vault.fingerprint(key))?
                .as_str(),
        )
    }

    pub(crate) fn row(&self, id: &AppId) -> Result<&Arc<Row>, Error> {
        self.rows.get(id).ok_or(Error::UnknownApp)
    }

    pub(crate) fn has_slug(&self, slug: &str) -> bool {
        self.by_slug.contains_key(slug)
    }

    /// How many apps there are, enabled or not.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Is there no app at all?
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("generation", &self.generation)
            .field("apps", &self.len())
            .finish_non_exhaustive()
    }
}
