//! Files for tests of this module.

use std::sync::Arc;
use std::time::Duration;

use airlock_registry::Sealer;
use tokio::sync::Semaphore;

use super::{
    CallFiles, FetchedBy, Fetcher, Files, OpenPlaces, Owner, Settings, Spool, SpoolBounds, handle,
    units,
};

pub(super) fn owner(app: &str, epoch: u64) -> Owner {
    Owner {
        app: app.into(),
        epoch,
        slug: app.into(),
    }
}

/// Files with a spool in a directory that is gone when this returns: for tests that keep nothing.
pub(super) fn files() -> Arc<Files> {
    let directory = tempfile::tempdir().expect("a directory");
    let spool = SpoolBounds {
        bytes: 1 << 20,
        ttl: Duration::from_secs(60),
    };
    let settings = Settings {
        fetched_by: FetchedBy::Dify,
        open: OpenPlaces::default(),
        body_limit: 24 << 20,
        read_limit: 10 << 20,
        spool,
    };
    let opened = Spool::open(directory.path().to_owned(), Sealer::new(&[1; 32]), spool);
    Arc::new(Files {
        spool: Arc::new(opened.expect("an empty directory")),
        fetcher: Fetcher::new(OpenPlaces::default()),
        handles: handle::Handles(Sealer::new(&[2; 32])),
        held: Arc::new(Semaphore::new(units(64 << 20))),
        settings,
    })
}

/// A call of an app without a Dify.
pub(crate) fn call() -> CallFiles {
    CallFiles::new(files(), owner("app", 1), None)
}
