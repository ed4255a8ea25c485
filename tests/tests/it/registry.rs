//! A home that this server must not touch: said in a sentence, and not a byte is changed.

use std::collections::BTreeMap;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use airlock::server::Server;
use airlock_stand_in::SampleApp;
use airlock_tests::world::Stopped;
use airlock_tests::{Post, World};
use http::StatusCode;
use serde_json::json;
use sqlx::{ConnectOptions, Connection};

/// Every file of a home.
fn files(home: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut left = vec![home.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in std::fs::read_dir(directory).expect("a readable home") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                left.push(path);
            } else {
                let bytes = std::fs::read(&path).expect("a readable file");
                found.insert(path, bytes);
            }
        }
    }
    found
}

/// A home with one published app, and that app's address.
async fn written() -> (Stopped, String) {
    let world = World::start().await.expect("a world");
    let url = world
        .publish(SampleApp::TravelChat)
        .await
        .expect("published");
    (world.stop().await.expect("stopped"), url)
}

/// The words with which a server refuses this home, which is the same afterwards.
async fn refused(stopped: &Stopped) -> String {
    let before = files(stopped.home());
    let words = stopped.refusal().await.expect("a refusal");
    println!("{words}");
    let after = files(stopped.home());
    assert!(
        before == after,
        "{:?} became {:?}",
        before.keys(),
        after.keys()
    );
    words
}

/// The home serves what it served before.
async fn serves(stopped: Stopped, url: &str) {
    let world = stopped.start().await.expect("the home is good");
    let (_, path) = url.split_once("/server/").expect("…/server/CODE/mcp");
    let url = format!("http://{}/server/{path}", world.server.address);
    let listed = Post::to(&url).rpc("tools/list", json!({})).send().await;
    assert_eq!(listed.expect("an answer").status, StatusCode::OK);
}

fn write_key(stopped: &Stopped, key: &str) {
    let path = stopped.home().join("master.key");
    let _ = std::fs::remove_file(&path);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .expect("a writable home");
    std::io::Write::write_all(&mut file, key.as_bytes()).expect("a writable home");
}

async fn execute(stopped: &Stopped, statement: &'static str) {
    let mut db = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(stopped.home().join("airlock.db"))
        .connect()
        .await
        .expect("a registry");
    sqlx::query(statement)
        .execute(&mut db)
        .await
        .expect("a statement that fits");
    db.close().await.expect("nothing runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_that_another_server_holds_is_left_to_it() {
    let world = World::start().await.expect("a world");
    let url = world
        .publish(SampleApp::TravelChat)
        .await
        .expect("published");
    let config = world.server_config().expect("it fitted before");
    let Err(refused) = Server::start(config).await else {
        panic!("two servers share a home");
    };
    let words = format!("{refused:#}");
    assert!(
        words.contains("another airlock serves this home"),
        "{words}"
    );
    assert!(
        world.home().join("admin.sock").exists(),
        "its door is still there"
    );
    let listed = Post::to(&url).rpc("tools/list", json!({})).send().await;
    assert_eq!(listed.expect("an answer").status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_master_key_is_refused_and_the_right_one_opens_everything_again() {
    let (stopped, url) = written().await;
    let key = std::fs::read_to_string(stopped.home().join("master.key")).expect("a key");
    write_key(&stopped, &format!("{}\n", "0f".repeat(32)));
    let words = refused(&stopped).await;
    assert!(
        words.contains("was sealed with another master key"),
        "{words}"
    );
    write_key(&stopped, &key);
    serves(stopped, &url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_key_that_is_gone_or_open_to_others_is_asked_for() {
    let (stopped, url) = written().await;
    let path = stopped.home().join("master.key");
    let key = std::fs::read_to_string(&path).expect("a key");
    std::fs::remove_file(&path).expect("it was there");
    let words = refused(&stopped).await;
    assert!(words.contains("put the key back from a backup"), "{words}");

    write_key(&stopped, &key);
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(&path, open).expect("it is ours");
    let words = refused(&stopped).await;
    assert!(words.contains("chmod 0400"), "{words}");
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o400);
    std::fs::set_permissions(&path, closed).expect("it is ours");
    serves(stopped, &url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_from_the_future_is_refused() {
    let (stopped, url) = written().await;
    execute(
        &stopped,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'to come', 1, x'00', 0)",
    )
    .await;
    let words = refused(&stopped).await;
    assert!(
        words.contains("was written by a later airlock") && words.contains("9999"),
        "{words}"
    );
    execute(
        &stopped,
        "DELETE FROM _sqlx_migrations WHERE version = 9999",
    )
    .await;
    serves(stopped, &url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_registry_is_refused() {
    let (stopped, url) = written().await;
    let path = stopped.home().join("airlock.db");
    let whole = std::fs::read(&path).expect("a registry");
    let mut torn = whole.clone();
    // The pages after the first, which holds the schema.
    torn[4_096..].fill(0xa5);
    let mut headless = whole.clone();
    headless[..100].fill(0);
    for damaged in [
        torn,
        headless,
        whole[..whole.len() / 2].to_vec(),
        b"not a registry at all".to_vec(),
    ] {
        std::fs::write(&path, damaged).expect("a writable home");
        let words = refused(&stopped).await;
        assert!(
            words.contains("is damaged or no registry of airlock's"),
            "{words}"
        );
    }
    std::fs::write(&path, whole).expect("a writable home");
    serves(stopped, &url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_named_and_so_is_the_setting() {
    let world = World::start().await.expect("a world");
    let (stopped, _) = written().await;
    let mut config = world.server_config().expect("it fitted before");
    config.home = stopped.home().to_owned();
    config.listen = world.server.address;
    let Err(refused) = Server::start(config).await else {
        panic!("two servers share a port");
    };
    let words = format!("{refused:#}");
    assert!(
        words.contains(&world.server.address.to_string()) && words.contains("AIRLOCK_LISTEN"),
        "{words}"
    );
}
