//! What is checked before a registry is used, and why one is refused.
//!
//! A registry is looked at read-only first, so that one which this version cannot use keeps every byte.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    ConnectOptions as _, Connection as _, SqliteConnection,
    migrate::{MigrateError, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use crate::{
    home::HomeLock,
    keys::MasterKey,
    snapshot::Row,
    store::{self, LoadError},
    vault::Vault,
};

/// The schema's history. A migration that was released is never edited: its checksum is in every registry.
pub(crate) static MIGRATOR: Migrator = sqlx::migrate!();

/// How long a statement waits for another process, which can only be somebody's backup: airlock itself holds the home.
const BUSY: Duration = Duration::from_secs(5);

/// SQLite's primary result codes for a file that is not what it should be.
const SQLITE_CORRUPT: i32 = 11;
const SQLITE_NOTADB: i32 = 26;

/// Why a registry is refused. For the operator. But for [`Migration`](Self::Migration), nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A later version wrote it.
    #[error(
        "the registry {} was written by a later airlock (its schema is version {found}, this one knows {known}); nothing was \
         changed: run that version, or restore the copy {}.schema-{known} that it made before it changed the schema",
        path.display(), path.display()
    )]
    Future {
        /// The registry.
        path: PathBuf,
        /// Its schema's version.
        found: i64,
        /// The last version known here.
        known: i64,
    },
    /// It is not what Airlock wrote.
    #[error(
        "the registry {} is damaged or no registry of airlock's ({detail}); nothing was changed: restore a backup, or move the \
         file away to begin with an empty registry",
        path.display()
    )]
    Damaged {
        /// The registry.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// Another master key sealed it.
    #[error(
        "the registry {} was sealed with another master key (id {expected}, the one given has {got}); nothing was changed: put \
         that key back, in master.key or in the file that AIRLOCK_MASTER_KEY_FILE names",
        path.display()
    )]
    WrongKey {
        /// The registry.
        path: PathBuf,
        /// The id of the key that sealed it.
        expected: String,
        /// The id of the key at hand.
        got: String,
    },
    /// The schema could not be brought up to date; each step is a transaction, so it is as it was, or between two steps.
    #[error(
        "the registry {} could not be brought to this version's schema ({source}); a copy of what it was is beside it, if there \
         was anything in it",
        path.display()
    )]
    Migration {
        /// The registry.
        path: PathBuf,
        /// What SQLite said.
        source: MigrateError,
    },
    /// The file system or SQLite failed.
    #[error("the registry {} cannot be opened ({source}): is there space, and do the files belong to this user?", path.display())]
    Io {
        /// The registry, or the file beside it that was touched.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What a look at the file told.
struct Found {
    /// The schema's version; 0 before the first migration.
    schema: i64,
    /// Is a master key's id stored? Not if a crash came between the first migration and that.
    keyed: bool,
}

/// Opens the registry of a home, making or migrating it where needed.
pub(crate) async fn open(
    home: &HomeLock,
    key: &MasterKey,
    vault: &Vault,
    migrator: &Migrator,
) -> Result<(SqliteConnection, Vec<Row>), OpenError> {
    let path = home.db();
    let known = migrator
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0);
    let found = if home
        .has_registry()
        .map_err(|source| io_error(&path, source))?
    {
        look(&path, key, migrator, known).await?
    } else {
        create(&path, false).map_err(|source| io_error(&path, source))?;
        Found {
            schema: 0,
            keyed: false,
        }
    };

    let options = SqliteConnectOptions::new()
        .filename(&path)
        .journal_mode(SqliteJournalMode::Wal)
        // What an operator was told has happened must survive a power cut: a revoked address stays revoked.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY);
    let refuse = |error| refusal(&path, error);
    let mut db = options.connect().await.map_err(refuse)?;
    if found.schema < known {
        if found.schema > 0 {
            back_up(&mut db, &path, found.schema).await?;
        }
        let migrated = migrator.run(&mut db).await;
        migrated.map_err(|source| OpenError::Migration {
            path: path.clone(),
            source,
        })?;
    }
    if !found.keyed {
        let insert =
            sqlx::query("INSERT INTO meta (name, value) VALUES ('key_id', ?)").bind(key.id());
        insert.execute(&mut db).await.map_err(refuse)?;
    }
    let error = match store::load(&mut db, vault).await {
        Ok(rows) => return Ok((db, rows)),
        Err(LoadError::Storage(error)) => refusal(&path, error),
        Err(LoadError::Damaged(detail)) => OpenError::Damaged {
            path: path.clone(),
            detail,
        },
    };
    // SQLite takes the files beside the registry away; that it was refused matters more than how this went.
    db.close().await.ok();
    Err(error)
}

/// Reads what decides whether this version may use the file.
///
/// Without a write-ahead log the file is opened as immutable, and SQLite makes no file beside it. With one (a server was
/// killed), the newest state is in the log, and SQLite reads it through its `-shm` index, which it may rebuild.
async fn look(
    path: &Path,
    key: &MasterKey,
    migrator: &Migrator,
    known: i64,
) -> Result<Found, OpenError> {
    let log = path.with_extension("db-wal");
    let clean = fs::metadata(&log).map_or(true, |log| log.len() == 0);
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .immutable(clean)
        .busy_timeout(BUSY);
    let mut db = options
        .connect()
        .await
        .map_err(|error| refusal(path, error))?;
    let found = examine(&mut db, path, key, migrator, known).await;
    db.close().await.map_err(|error| refusal(path, error))?;
    found
}

async fn examine(
    db: &mut SqliteConnection,
    path: &Path,
    key: &MasterKey,
    migrator: &Migrator,
    known: i64,
) -> Result<Found, OpenError> {
    let refuse = |error| refusal(path, error);
    let damaged = |detail: String| {
        Err(OpenError::Damaged {
            path: path.to_owned(),
            detail,
        })
    };

    let check: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(&mut *db)
        .await
        .map_err(refuse)?;
    if check != "ok" {
        return damaged(check);
    }
    let tables = sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table'");
    let tables: Vec<String> = tables.fetch_all(&mut *db).await.map_err(refuse)?;
    if tables.is_empty() {
        return Ok(Found {
            schema: 0,
            keyed: false,
        });
    }
    if !tables.iter().any(|name| name == "_sqlx_migrations") {
        return damaged("it is some other SQLite database".to_owned());
    }
    let applied = sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations ORDER BY version");
    let applied: Vec<(i64, Vec<u8>)> = applied.fetch_all(&mut *db).await.map_err(refuse)?;
    let schema = applied.last().map_or(0, |(version, _)| *version);
    if schema > known {
        return Err(OpenError::Future {
            path: path.to_owned(),
            found: schema,
            known,
        });
    }
    for (version, checksum) in &applied {
        if !migrator
            .iter()
            .any(|ours| ours.version == *version && *ours.checksum == **checksum)
        {
            return damaged(format!(
                "step {version} of its schema is not the one of that number here"
            ));
        }
    }
    if schema == 0 {
        return Ok(Found {
            schema,
            keyed: false,
        });
    }

    let key_id = sqlx::query_scalar("SELECT value FROM meta WHERE name = 'key_id'");
    let key_id: Option<String> = key_id.fetch_optional(&mut *db).await.map_err(refuse)?;
    let apps: i64 = sqlx::query_scalar("SELECT count(*) FROM apps")
        .fetch_one(db)
        .await
        .map_err(refuse)?;
    match key_id {
        None if apps > 0 => damaged("it does not say which master key sealed it".to_owned()),
        Some(expected) if expected != key.id() => Err(OpenError::WrongKey {
            path: path.to_owned(),
            expected,
            got: key.id(),
        }),
        key_id => Ok(Found {
            schema,
            keyed: key_id.is_some(),
        }),
    }
}

/// Copies the registry to `airlock.db.schema-N`, log included, before its schema leaves version N.
async fn back_up(db: &mut SqliteConnection, path: &Path, schema: i64) -> Result<(), OpenError> {
    let copy = path.with_extension(format!("db.schema-{schema}"));
    let unfinished = path.with_extension(format!("db.schema-{schema}.new"));
    let io = |source| io_error(&unfinished, source);
    // SQLite would make the file readable by whom the umask lets; into an empty one it writes.
    create(&unfinished, true).map_err(io)?;
    let target = unfinished
        .to_str()
        .ok_or(io::ErrorKind::InvalidFilename.into())
        .map_err(io)?;
    let copied = sqlx::query("VACUUM INTO ?").bind(target).execute(db).await;
    copied.map_err(|error| refusal(&unfinished, error))?;
    File::open(&unfinished)
        .and_then(|file| file.sync_all())
        .map_err(io)?;
    fs::rename(&unfinished, copy).map_err(io)
}

/// Makes a file readable by its owner alone, empty if `emptied`.
fn create(path: &Path, emptied: bool) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(emptied)
        .mode(0o600)
        .open(path)
}

fn io_error(path: &Path, source: io::Error) -> OpenError {
    OpenError::Io {
        path: path.to_owned(),
        source,
    }
}

/// A damaged file is the registry's own trouble, all else the system's.
fn refusal(path: &Path, error: sqlx::Error) -> OpenError {
    let path = path.to_owned();
    let code = error
        .as_database_error()
        .and_then(|error| error.code()?.parse::<i32>().ok());
    match (code.map(|code| code & 0xff), &error) {
        (Some(SQLITE_CORRUPT | SQLITE_NOTADB), _)
        | (
            None,
            sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::Decode(_),
        ) => OpenError::Damaged {
            path,
            detail: error.to_string(),
        },
        _ => OpenError::Io {
            path,
            source: io::Error::other(error),
        },
    }
}

#[cfg(test)]
mod tests;
