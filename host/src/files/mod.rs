//! Files, in and out. Their bytes stay on this side of the sandbox.
//!
//! In: `given` reads what a caller wrote, `take` judges it and gives the guest a reference, `mapping` tells Dify what the
//! reference means (`held` uploads it when it is first needed). Out: `found` finds Dify's files in an answer, `deliver`
//! makes MCP content of those that a guest returns; what is too large for that waits in the [`spool`] to be read.
//! [`fetch`] goes where strangers' addresses lead, if they are [`public`]; `handle` is what clients hold.

mod deliver;
pub mod fetch;
mod found;
mod given;
mod handle;
mod held;
mod mapping;
mod names;
pub mod public;
mod read;
mod settings;
mod sizes;
pub mod spool;
mod take;
#[cfg(test)]
pub(crate) mod testing;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use airlock_registry::{AppRecord, MasterKey, Purpose, Sealer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use fetch::Fetcher;
pub use found::Pieces as LinkPieces;
pub use handle::SCHEME;
pub use held::CallFiles;
pub use mapping::Pending;
pub use public::{OpenPlaces, Opened};
pub use settings::{FetchedBy, Settings};
pub use sizes::Sizes;
pub use spool::{Spool, SpoolBounds};

/// Bytes of files that all calls together hold in memory.
const HELD: usize = 256 << 20;
/// The unit in which they are counted: a semaphore's numbers are small.
const UNIT: usize = 1 << 10;

/// Whose files: what is sealed for one app and one epoch of its address opens for no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The app's id.
    pub app: String,
    /// The epoch.
    pub epoch: u64,
    /// The app's name in the log.
    pub slug: String,
}

impl From<&AppRecord> for Owner {
    fn from(app: &AppRecord) -> Self {
        Self {
            app: app.id.as_str().to_owned(),
            epoch: app.credential_epoch,
            slug: app.slug.clone(),
        }
    }
}

/// What all calls share.
#[derive(Debug)]
pub struct Files {
    pub(crate) settings: Settings,
    /// The files that are served later.
    pub spool: Arc<Spool>,
    fetcher: Fetcher,
    handles: handle::Handles,
    held: Arc<Semaphore>,
}

impl Files {
    /// With an empty spool in this directory.
    ///
    /// # Errors
    /// When the directory cannot be used.
    pub fn new(settings: Settings, directory: PathBuf, master: &MasterKey) -> io::Result<Self> {
        let sealer = Sealer::new(&master.derive(Purpose::Spool));
        Ok(Self {
            spool: Arc::new(Spool::open(directory, sealer, settings.spool)?),
            fetcher: Fetcher::new(settings.open.clone()),
            handles: handle::Handles::new(master),
            held: Arc::new(Semaphore::new(units(HELD))),
            settings,
        })
    }

    /// Room in memory for a file of at most this size; none while others take it.
    fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(units(bytes)).ok()?;
        Arc::clone(&self.held).try_acquire_many_owned(units).ok()
    }

    /// Gives back what a file does not need of its room.
    fn shrunk(room: OwnedSemaphorePermit, bytes: usize) -> OwnedSemaphorePermit {
        let mut room = room;
        let rest = room.num_permits().saturating_sub(units(bytes));
        drop(room.split(rest));
        room
    }
}

fn units(bytes: usize) -> usize {
    bytes.div_ceil(UNIT)
}
