//! Compiled code that is kept, and what becomes of code that somebody has touched.

use std::os::unix::fs::PermissionsExt;

use airlock_stand_in::SampleApp;
use airlock_tests::guests::component;
use airlock_tests::{Program, World, WorldConfig};
use serde_json::json;
use tokio::task::JoinSet;

use super::{behaves, call, entries, publish};
use crate::cli::desk::{Desk, at, host};

#[tokio::test(flavor = "multi_thread")]
async fn a_start_compiles_nothing_that_was_compiled_before() {
    let world = World::start().await.expect("a world");
    let hostile = publish(&world, component("airlock-guest-hostile")).await;
    let chat = world
        .publish(SampleApp::TravelChat)
        .await
        .expect("published");
    let code = |url: &str| {
        url.rsplit_once("/server/")
            .expect("an address")
            .1
            .to_owned()
    };
    assert_eq!(world.server.operations.guests.counts().compiled, 2);
    assert_eq!(entries(world.home()).len(), 2);
    for entry in entries(world.home()) {
        let mode = entry.metadata().expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", entry.display());
    }

    let world = world.restart().await.expect("it comes back");
    let at = |url: &str| format!("http://{}/server/{}", world.server.address, code(url));
    behaves(&at(&hostile)).await;
    let trip = json!({"query": "Where to?", "topic": "Lisbon"});
    assert!(!call(&at(&chat), "travel_chat", trip).await.1);
    let counts = world.server.operations.guests.counts();
    assert_eq!((counts.compiled, counts.cached, counts.unusable), (0, 2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_many_call_at_once_is_loaded_once() {
    let world = World::start().await.expect("a world");
    let url = publish(&world, component("airlock-guest-hostile")).await;
    let world = world.restart().await.expect("it comes back");
    let code = url.rsplit_once("/server/").expect("an address").1;
    let url = format!("http://{}/server/{code}", world.server.address);
    let mut calls = JoinSet::new();
    for _ in 0..8 {
        let url = url.clone();
        calls.spawn(async move { behaves(&url).await });
    }
    calls.join_all().await;
    assert_eq!(world.server.operations.guests.counts().cached, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_somebody_touched_is_compiled_anew_and_told_once() {
    let desk = Desk::new().await;
    let key = desk.dify.key(SampleApp::WordCounter);
    desk.airlock
        .json_with(&["app", "add", "-"], key)
        .await
        .expect("added");
    let enabled = desk.json(&["app", "enable", "word-counter"]).await;
    let [entry] = &entries(desk.home.path())[..] else {
        panic!("one guest was compiled");
    };
    let written = std::fs::read(entry).expect("an entry");
    let mut forged = written.clone();
    *forged.last_mut().expect("it has bytes") ^= 1;
    // One of another installation: its code is as good, and its key is not ours.
    let other = tempfile::tempdir().expect("a directory");
    let elsewhere = Program::new(other.path()).env("DIFY_URL", &desk.dify.url());
    elsewhere
        .json_with(&["app", "add", "-"], key)
        .await
        .expect("added");
    let foreign = std::fs::read(&entries(other.path())[0]).expect("an entry");
    assert_eq!(written.len(), foreign.len());

    for bad in [forged, written[..written.len() / 2].to_vec(), foreign] {
        std::fs::write(entry, &bad).expect("our file");
        let (server, address) = desk.serve().await;
        let url = at(&host(&enabled), address);
        for _ in 0..2 {
            let (text, is_error) = call(&url, "word_counter", json!({"query": "one two"})).await;
            assert!(!is_error, "{text}");
        }
        let (_, said) = server.signal("TERM").await.expect("it ends");
        let told = said.stderr.matches("compiled anew and replaced").count();
        assert_eq!(told, 1, "{}", said.stderr);
        let now = std::fs::read(entry).expect("an entry");
        assert!(now != bad && now.len() == written.len(), "it was replaced");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_cache_guests_run_all_the_same() {
    let config = WorldConfig {
        adjust: |config| config.guests.code_cache = 0,
        ..WorldConfig::default()
    };
    let world = World::with(config).await.expect("a world");
    let url = publish(&world, component("airlock-guest-hostile")).await;
    behaves(&url).await;
    assert!(entries(world.home()).is_empty());
}
