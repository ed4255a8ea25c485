//! Where the protocol's tasks are kept: the registry's rows of one app.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use airlock_mcp::{Kept, Stored, TaskKey, TaskRow, TaskStore, TaskStoreError};
use airlock_registry::{AppId, Error, Replaced};
use std::sync::Arc;

use super::service::Shared;

/// One app's tasks.
pub(super) struct AppTasks {
    pub(super) shared: Arc<Shared>,
    pub(super) app: AppId,
}

impl TaskStore for AppTasks {
    fn create(&self, key: TaskKey, row: TaskRow) -> Kept<'_, Stored> {
        Box::pin(async move {
            let (row, registry) = (stored(row), &self.shared.registry);
            let create = async |runs: &[Vec<u8>]| {
                let kept = registry.create_task(&self.app, key.as_bytes(), &row, runs);
                kept.await
            };
            let kept = match self.shared.journals.of(key) {
                Some(journal) => journal.keep(create).await,
                None => create(&[]).await,
            };
            match kept.map_err(failed)? {
                true => Ok(Stored::Kept),
                false => Ok(Stored::Full),
            }
        })
    }

    fn load(&self, key: TaskKey) -> Kept<'_, Option<(u64, TaskRow)>> {
        Box::pin(async move {
            let found = self.shared.registry.task(&self.app, key.as_bytes());
            let found = found.await.map_err(failed)?;
            Ok(found.map(|(revision, row)| (revision, loaded(row))))
        })
    }

    fn replace(&self, key: TaskKey, revision: u64, row: TaskRow) -> Kept<'_, Stored> {
        Box::pin(async move {
            let (row, registry) = (stored(row), &self.shared.registry);
            let replaced = registry.replace_task(&self.app, key.as_bytes(), revision, &row);
            Ok(match replaced.await.map_err(failed)? {
                Replaced::Kept => Stored::Kept,
                Replaced::Changed => Stored::Refused,
                Replaced::Full => Stored::Full,
            })
        })
    }
}

fn failed(error: Error) -> TaskStoreError {
    TaskStoreError(error.to_string())
}

fn stored(row: TaskRow) -> airlock_registry::TaskRow {
    let expires = row.expires.duration_since(UNIX_EPOCH).unwrap_or_default();
    airlock_registry::TaskRow {
        state: row.state,
        running: row.running,
        expires_at: i64::try_from(expires.as_millis()).unwrap_or(i64::MAX),
    }
}

fn loaded(row: airlock_registry::TaskRow) -> TaskRow {
    let expires = Duration::from_millis(u64::try_from(row.expires_at).unwrap_or_default());
    TaskRow {
        state: row.state,
        running: row.running,
        expires: SystemTime::UNIX_EPOCH + expires,
    }
}
