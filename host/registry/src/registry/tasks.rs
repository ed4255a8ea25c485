//! Calls that outlive their request. Not part of the snapshot: no request but a task's own asks for them.

use sqlx::SqliteConnection;

use super::{Registry, opened};
use crate::{app::AppId, bounds, error::Error, task::TaskRow, vault::Vault};

impl Registry {
    /// Keeps a new task of an app, with revision 1. `false`, and nothing is kept, where the app has too many tasks, or
    /// they hold too much, or the key is taken.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Storage`] (also where the app is gone), [`Error::Closed`].
    pub async fn create_task(
        &self,
        app: &AppId,
        key: &[u8; 16],
        row: &TaskRow,
    ) -> Result<bool, Error> {
        let sealed = self.sealed(app, key, row)?;
        let mut db = self.inner.db.lock().await;
        let db = opened(&mut db)?;
        forget_expired(db).await?;
        // One statement: nobody else's task comes between the count and the row.
        let kept = sqlx::query(
            "INSERT INTO tasks (app, key, revision, running, expires_at, sealed_state)
             SELECT ?1, ?2, 1, ?3, ?4, ?5
             WHERE (SELECT count(*) < ?6 AND coalesce(sum(length(sealed_state)), 0) + length(?5) <= ?7
                    FROM tasks WHERE app = ?1)
             ON CONFLICT DO NOTHING",
        )
        .bind(app.as_str())
        .bind(&key[..])
        .bind(row.running)
        .bind(row.expires_at)
        .bind(sealed)
        .bind(bounds::MAX_TASKS)
        .bind(bounds::MAX_TASK_BYTES)
        .execute(db)
        .await?;
        Ok(kept.rows_affected() == 1)
    }

    /// A task of an app and its revision; `None` where there is none, or it has expired.
    ///
    /// # Errors
    /// [`Error::Unsealable`], [`Error::Storage`], [`Error::Closed`].
    pub async fn task(&self, app: &AppId, key: &[u8; 16]) -> Result<Option<(u64, TaskRow)>, Error> {
        let mut db = self.inner.db.lock().await;
        let found: Option<(i64, bool, i64, Vec<u8>)> = sqlx::query_as(
            "SELECT revision, running, expires_at, sealed_state FROM tasks
             WHERE app = ?1 AND key = ?2 AND expires_at > ?3",
        )
        .bind(app.as_str())
        .bind(&key[..])
        .bind(now())
        .fetch_optional(opened(&mut db)?)
        .await?;
        let Some((revision, running, expires_at, sealed)) = found else {
            return Ok(None);
        };
        let state = self.inner.vault.open_task(app, key, &sealed);
        let state = state.map_err(|_| Error::Unsealable)?.to_vec();
        let row = TaskRow {
            state,
            running,
            expires_at,
        };
        Ok(Some((revision.cast_unsigned(), row)))
    }

    /// Replaces a task that still has this revision, and raises it by one. `false`, and nothing is changed, where it has
    /// another, is gone, or would make the app's tasks hold too much.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Storage`], [`Error::Closed`].
    pub async fn replace_task(
        &self,
        app: &AppId,
        key: &[u8; 16],
        revision: u64,
        row: &TaskRow,
    ) -> Result<bool, Error> {
        let sealed = self.sealed(app, key, row)?;
        let mut db = self.inner.db.lock().await;
        let kept = sqlx::query(
            "UPDATE tasks SET revision = revision + 1, running = ?4, expires_at = ?5, sealed_state = ?6
             WHERE app = ?1 AND key = ?2 AND revision = ?3 AND expires_at > ?8
               AND (SELECT coalesce(sum(length(sealed_state)), 0) FROM tasks WHERE app = ?1)
                   - length(sealed_state) + length(?6) <= ?7",
        )
        .bind(app.as_str())
        .bind(&key[..])
        .bind(revision.cast_signed())
        .bind(row.running)
        .bind(row.expires_at)
        .bind(sealed)
        .bind(bounds::MAX_TASK_BYTES)
        .bind(now())
        .execute(opened(&mut db)?)
        .await?;
        Ok(kept.rows_affected() == 1)
    }

    /// The tasks that ran when the server stopped, for its start: an app's id, and the task's key.
    ///
    /// # Errors
    /// [`Error::Storage`], [`Error::Closed`].
    pub async fn running_tasks(&self) -> Result<Vec<(AppId, [u8; 16])>, Error> {
        let mut db = self.inner.db.lock().await;
        let rows: Vec<(String, Vec<u8>)> =
            sqlx::query_as("SELECT app, key FROM tasks WHERE running = 1 AND expires_at > ?")
                .bind(now())
                .fetch_all(opened(&mut db)?)
                .await?;
        let rows = rows.into_iter();
        Ok(rows
            .filter_map(|(app, key)| Some((AppId::stored(app), key.try_into().ok()?)))
            .collect())
    }

    fn sealed(&self, app: &AppId, key: &[u8; 16], row: &TaskRow) -> Result<Vec<u8>, Error> {
        bounds::task(&row.state)?;
        let vault: &Vault = &self.inner.vault;
        Ok(vault.seal_task(app, key, &row.state))
    }
}

/// Tasks are few and short-lived, so the next one clears up behind the others.
async fn forget_expired(db: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM tasks WHERE expires_at <= ?")
        .bind(now())
        .execute(db)
        .await?;
    Ok(())
}

fn now() -> i64 {
    let elapsed = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}
