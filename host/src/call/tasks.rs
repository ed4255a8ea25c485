//! Where the protocol's tasks are kept: the registry's rows of one app.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use airlock_mcp::{Kept, Stored, TaskKey, TaskRow, TaskStore, TaskStoreError};
use airlock_registry::{AppId, Error, Registry};
use std::sync::Arc;

/// One app's tasks.
pub(super) struct AppTasks {
    pub(super) registry: Arc<Registry>,
    pub(super) app: AppId,
}

impl TaskStore for AppTasks {
    fn create(&self, key: TaskKey, row: TaskRow) -> Kept<'_, Stored> {
        Box::pin(async move {
            let row = stored(row);
            let kept = self.registry.create_task(&self.app, key.as_bytes(), &row);
            outcome(kept.await)
        })
    }

    fn load(&self, key: TaskKey) -> Kept<'_, Option<(u64, TaskRow)>> {
        Box::pin(async move {
            match self.registry.task(&self.app, key.as_bytes()).await {
                Ok(found) => Ok(found.map(|(revision, row)| (revision, loaded(row)))),
                Err(error) => Err(TaskStoreError(error.to_string())),
            }
        })
    }

    fn replace(&self, key: TaskKey, revision: u64, row: TaskRow) -> Kept<'_, Stored> {
        Box::pin(async move {
            let row = stored(row);
            let kept = self
                .registry
                .replace_task(&self.app, key.as_bytes(), revision, &row);
            outcome(kept.await)
        })
    }
}

fn outcome(kept: Result<bool, Error>) -> Result<Stored, TaskStoreError> {
    match kept {
        Ok(true) => Ok(Stored::Kept),
        Ok(false) => Ok(Stored::Refused),
        Err(error) => Err(TaskStoreError(error.to_string())),
    }
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
