//! Calls that outlive their request. Not part of the snapshot: no request but a task's own asks for them.

use sqlx::{Connection as _, SqliteConnection};

use super::{Registry, opened};
use crate::{
    app::AppId,
    bounds,
    error::Error,
    task::{Replaced, TaskRow},
    vault::Vault,
};

impl Registry {
    /// Keeps a new task of an app, with revision 1, and the runs that its call has started so far, all or nothing.
    /// `false`, and nothing is kept, where the app has too many tasks, or they hold too much, or the key is taken.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::TooMany`], [`Error::Storage`] (also where the app is gone), [`Error::Closed`].
    pub async fn create_task(
        &self,
        app: &AppId,
        key: &[u8; 16],
        row: &TaskRow,
        runs: &[Vec<u8>],
    ) -> Result<bool, Error> {
        let sealed = self.sealed(app, key, row)?;
        let runs = runs.iter().enumerate();
        let runs = runs.map(|(place, run)| self.sealed_run(app, key, place, run));
        let runs = runs.collect::<Result<Vec<_>, _>>()?;
        let mut db = self.inner.db.lock().await;
        let mut db = opened(&mut db)?.begin_with("BEGIN IMMEDIATE").await?;
        forget_expired(&mut db).await?;
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
        .execute(&mut *db)
        .await?;
        let kept = kept.rows_affected() == 1;
        if kept {
            for (place, run) in (0..).zip(runs) {
                put_run(&mut db, app, key, place, run).await?;
            }
        }
        db.commit().await?;
        Ok(kept)
    }

    /// Keeps what is known of the run that the call of a task has started in that place, in place of what was known
    /// before. `false`, and nothing is kept, where the task does not run.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::TooMany`], [`Error::Storage`], [`Error::Closed`].
    pub async fn put_task_run(
        &self,
        app: &AppId,
        key: &[u8; 16],
        place: usize,
        run: &[u8],
    ) -> Result<bool, Error> {
        let sealed = self.sealed_run(app, key, place, run)?;
        let mut db = self.inner.db.lock().await;
        let place = i64::try_from(place).unwrap_or(i64::MAX);
        put_run(opened(&mut db)?, app, key, place, sealed).await
    }

    /// The runs that the call of a task has started, in their order.
    ///
    /// # Errors
    /// [`Error::Unsealable`], [`Error::Storage`], [`Error::Closed`].
    pub async fn task_runs(&self, app: &AppId, key: &[u8; 16]) -> Result<Vec<Vec<u8>>, Error> {
        let mut db = self.inner.db.lock().await;
        let rows: Vec<Vec<u8>> = sqlx::query_scalar(
            "SELECT sealed_run FROM task_runs WHERE app = ? AND key = ? ORDER BY place",
        )
        .bind(app.as_str())
        .bind(&key[..])
        .fetch_all(opened(&mut db)?)
        .await?;
        let open = |(place, sealed): (usize, Vec<u8>)| {
            let run = self.inner.vault.open_task_run(app, key, place, &sealed);
            Ok(run.map_err(|_| Error::Unsealable)?.to_vec())
        };
        rows.into_iter().enumerate().map(open).collect()
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

    /// Replaces a task that still has this revision, and raises it by one. What it knew of runs goes with a row that does
    /// not run. Nothing is changed where it has another revision, is gone, or would make the app's tasks hold too much;
    /// for a row of up to [`bounds::SMALL_TASK`] there always is room.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Storage`], [`Error::Closed`].
    pub async fn replace_task(
        &self,
        app: &AppId,
        key: &[u8; 16],
        revision: u64,
        row: &TaskRow,
    ) -> Result<Replaced, Error> {
        let sealed = self.sealed(app, key, row)?;
        let mut db = self.inner.db.lock().await;
        let db = opened(&mut db)?;
        let kept = sqlx::query(
            "UPDATE tasks SET revision = revision + 1, running = ?4, expires_at = ?5, sealed_state = ?6
             WHERE app = ?1 AND key = ?2 AND revision = ?3 AND expires_at > ?8
               AND (length(?6) <= ?9
                    OR (SELECT coalesce(sum(length(sealed_state)), 0) FROM tasks WHERE app = ?1)
                       - length(sealed_state) + length(?6) <= ?7)",
        )
        .bind(app.as_str())
        .bind(&key[..])
        .bind(revision.cast_signed())
        .bind(row.running)
        .bind(row.expires_at)
        .bind(sealed)
        .bind(bounds::MAX_TASK_BYTES)
        .bind(now())
        .bind(bounds::SMALL_TASK)
        .execute(&mut *db)
        .await?;
        if kept.rows_affected() == 1 {
            return Ok(Replaced::Kept);
        }
        let found: Option<i64> = sqlx::query_scalar(
            "SELECT 1 FROM tasks WHERE app = ? AND key = ? AND revision = ? AND expires_at > ?",
        )
        .bind(app.as_str())
        .bind(&key[..])
        .bind(revision.cast_signed())
        .bind(now())
        .fetch_optional(db)
        .await?;
        Ok(match found {
            Some(_) => Replaced::Full,
            None => Replaced::Changed,
        })
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

    fn sealed_run(
        &self,
        app: &AppId,
        key: &[u8; 16],
        place: usize,
        run: &[u8],
    ) -> Result<Vec<u8>, Error> {
        bounds::task_run(place, run)?;
        Ok(self.inner.vault.seal_task_run(app, key, place, run))
    }

    fn sealed(&self, app: &AppId, key: &[u8; 16], row: &TaskRow) -> Result<Vec<u8>, Error> {
        bounds::task(&row.state)?;
        let vault: &Vault = &self.inner.vault;
        Ok(vault.seal_task(app, key, &row.state))
    }
}

async fn put_run(
    db: &mut SqliteConnection,
    app: &AppId,
    key: &[u8; 16],
    place: i64,
    sealed: Vec<u8>,
) -> Result<bool, Error> {
    let kept = sqlx::query(
        "INSERT INTO task_runs (app, key, place, sealed_run)
         SELECT ?1, ?2, ?3, ?4 WHERE EXISTS (SELECT 1 FROM tasks WHERE app = ?1 AND key = ?2 AND running = 1)
         ON CONFLICT (app, key, place) DO UPDATE SET sealed_run = ?4",
    )
    .bind(app.as_str())
    .bind(&key[..])
    .bind(place)
    .bind(sealed)
    .execute(db)
    .await?;
    Ok(kept.rows_affected() == 1)
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
