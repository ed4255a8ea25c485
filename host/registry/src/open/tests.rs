use std::os::unix::fs::PermissionsExt as _;

use sqlx::{SqlSafeStr as _, migrate::Migration, sqlite::SqliteConnectOptions};

use super::*;
use crate::{
    Registry,
    testing::{self, Stage},
};

/// A home with one enabled app in it, closed.
async fn written() -> Stage {
    let stage = Stage::new();
    let registry = stage.open().await;
    let app = registry
        .add(testing::app("app-one"))
        .await
        .expect("a new app")
        .app;
    registry.enable(&app.id).await.expect("it is there");
    registry.close().await.expect("nothing runs");
    stage
}

/// Opens, expects a refusal, and that not one byte of the home is another one.
async fn refused_untouched(stage: &Stage) -> OpenError {
    let before = stage.digests();
    let refusal = stage.try_open().await.expect_err("it must be refused");
    assert_eq!(before, stage.digests(), "{refusal}");
    refusal
}

async fn execute(stage: &Stage, statement: &'static str) {
    let mut db = SqliteConnectOptions::new()
        .filename(stage.home().db())
        .connect()
        .await
        .expect("a sound file");
    sqlx::query(statement)
        .execute(&mut db)
        .await
        .expect("a statement that fits");
    db.close().await.expect("nothing runs");
}

/// The schema of a version to come.
fn next_version() -> Migrator {
    let next = MIGRATOR
        .iter()
        .map(|migration| migration.version)
        .max()
        .expect("at least one")
        + 1;
    let sql = "CREATE TABLE news (text TEXT) STRICT".into_sql_str();
    let added = Migration::new(
        next,
        "news".into(),
        sqlx::migrate::MigrationType::Simple,
        sql,
        false,
    );
    Migrator::with_migrations(MIGRATOR.iter().cloned().chain([added]).collect())
}

#[tokio::test]
async fn a_new_registry_is_closed_to_other_users() {
    let stage = Stage::new();
    let registry = stage.open().await;
    registry
        .add(testing::app("app-one"))
        .await
        .expect("a new app");
    for path in stage.files().keys() {
        let mode = fs::metadata(path)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0, "{}", path.display());
    }
}

#[tokio::test]
async fn a_registry_from_the_future_is_refused_untouched() {
    let stage = Stage::new();
    let registry = Registry::open_with(stage.lock(), &stage.key, &next_version())
        .await
        .expect("a new home");
    registry.close().await.expect("nothing runs");
    drop(registry);
    let refusal = refused_untouched(&stage).await;
    assert!(
        matches!(
            refusal,
            OpenError::Future {
                found: 4,
                known: 3,
                ..
            }
        ),
        "{refusal}"
    );
    assert!(
        refusal.to_string().contains("written by a later airlock"),
        "{refusal}"
    );
}

#[tokio::test]
async fn another_master_key_is_refused_untouched() {
    let mut stage = written().await;
    let expected_id = stage.key.id();
    stage.key = testing::master_key(2);
    let refusal = refused_untouched(&stage).await;
    let OpenError::WrongKey { expected, got, .. } = refusal else {
        panic!("{refusal}")
    };
    assert_eq!((expected, got), (expected_id, stage.key.id()));
}

#[tokio::test]
async fn what_is_no_registry_is_refused_untouched() {
    let stage = written().await;
    let good = fs::read(stage.home().db()).expect("it was written");
    let overwritten = [&good[..4096], &[0xff; 4096], &good[8192..]].concat();
    for bytes in [
        b"some text".to_vec(),
        vec![0; 9000],
        good[..good.len() / 2].to_vec(),
        overwritten,
    ] {
        fs::write(stage.home().db(), &bytes).expect("our own file");
        let refusal = refused_untouched(&stage).await;
        assert!(
            matches!(refusal, OpenError::Damaged { .. }),
            "{} bytes: {refusal}",
            bytes.len()
        );
    }
}

#[tokio::test]
async fn another_programs_database_is_refused_untouched() {
    let stage = Stage::new();
    drop(create(&stage.home().db(), true).expect("a writable place"));
    execute(&stage, "CREATE TABLE recipes (name TEXT)").await;
    let refusal = refused_untouched(&stage).await;
    assert!(
        refusal.to_string().contains("some other SQLite database"),
        "{refusal}"
    );
}

#[tokio::test]
async fn an_edited_schema_history_is_refused_untouched() {
    let stage = written().await;
    execute(&stage, "UPDATE _sqlx_migrations SET checksum = x'00'").await;
    let refusal = refused_untouched(&stage).await;
    assert!(matches!(refusal, OpenError::Damaged { .. }), "{refusal}");
}

#[tokio::test]
async fn apps_without_the_id_of_their_key_are_refused_untouched() {
    let stage = written().await;
    execute(&stage, "DELETE FROM meta").await;
    let refusal = refused_untouched(&stage).await;
    assert!(matches!(refusal, OpenError::Damaged { .. }), "{refusal}");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_named_and_refused_untouched() {
    for (statement, what) in [
        ("UPDATE apps SET sealed_key = x'00'", "app key"),
        ("UPDATE apps SET sealed_address = sealed_key", "address"),
        ("UPDATE apps SET facts = '{'", "facts"),
        ("UPDATE apps SET settings = '[]'", "settings"),
    ] {
        let stage = written().await;
        execute(&stage, statement).await;
        let refusal = refused_untouched(&stage).await;
        let OpenError::Damaged { detail, .. } = &refusal else {
            panic!("{refusal}")
        };
        assert_eq!(
            *detail,
            format!("the {what} of app app-of-app-one cannot be read")
        );
    }
}

#[tokio::test]
async fn a_crash_before_the_first_migration_leaves_a_home_that_opens() {
    let stage = Stage::new();
    drop(create(&stage.home().db(), true).expect("a writable place"));
    assert!(stage.open().await.snapshot().is_empty());

    let stage = Stage::new();
    drop(create(&stage.home().db(), true).expect("a writable place"));
    execute(&stage, "PRAGMA journal_mode = WAL").await;
    assert!(stage.open().await.snapshot().is_empty());
}

#[tokio::test]
async fn a_crash_before_the_key_id_was_stored_leaves_a_home_that_opens() {
    let stage = Stage::new();
    stage.open().await.close().await.expect("nothing runs");
    execute(&stage, "DELETE FROM meta").await;
    stage.open().await.close().await.expect("nothing runs");
    let mut stage = stage;
    stage.key = testing::master_key(2);
    assert!(matches!(
        refused_untouched(&stage).await,
        OpenError::WrongKey { .. }
    ));
}

/// Copies a running registry's files, as a killed server or a pulled plug leaves them.
async fn killed() -> (Stage, Stage) {
    let (running, stage) = (Stage::new(), Stage::new());
    let registry = running.open().await;
    registry
        .add(testing::app("app-one"))
        .await
        .expect("a new app");
    for name in ["airlock.db", "airlock.db-wal"] {
        fs::copy(
            running.home().root().join(name),
            stage.home().root().join(name),
        )
        .expect("a writable place");
    }
    assert!(
        fs::metadata(stage.home().root().join("airlock.db-wal"))
            .expect("it was copied")
            .len()
            > 0
    );
    (running, stage)
}

#[tokio::test]
async fn a_killed_servers_last_change_is_there() {
    let (_running, stage) = killed().await;
    assert_eq!(stage.open().await.snapshot().len(), 1);
}

#[tokio::test]
async fn a_killed_servers_registry_is_refused_with_its_log_untouched() {
    let (_running, mut stage) = killed().await;
    stage.key = testing::master_key(2);
    let mut before = stage.digests();
    let refusal = stage.try_open().await.expect_err("another key");
    assert!(matches!(refusal, OpenError::WrongKey { .. }), "{refusal}");
    let mut after = stage.digests();
    // SQLite's index of the log, which it makes anew whenever it finds none.
    let index = stage.home().db().with_extension("db-shm");
    before.remove(&index);
    after.remove(&index);
    assert_eq!(before, after);
}

#[tokio::test]
async fn an_older_registry_is_copied_before_its_schema_changes() {
    let stage = written().await;
    let newer = Registry::open_with(stage.lock(), &stage.key, &next_version())
        .await
        .expect("a step ahead");
    assert_eq!(newer.snapshot().len(), 1);
    newer.close().await.expect("nothing runs");
    drop(newer);

    let copy = stage.home().db().with_extension("db.schema-3");
    assert_eq!(
        fs::metadata(&copy)
            .expect("it was made")
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
    assert!(matches!(
        stage.try_open().await,
        Err(OpenError::Future { .. })
    ));
    fs::rename(copy, stage.home().db()).expect("our own file");
    assert_eq!(stage.open().await.snapshot().len(), 1);
}

#[tokio::test]
async fn an_open_registry_holds_its_home() {
    let stage = Stage::new();
    let registry = stage.open().await;
    let clone = registry.clone();
    drop(registry);
    assert!(stage.home().lock().is_err());
    drop(clone);
    stage.lock();
}
