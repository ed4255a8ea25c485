//! How guests come to run: compiled within bounds, kept, and exchanged under way.

mod caching;
mod compiling;
mod swapping;

use std::path::PathBuf;

use airlock::server::ServerConfig;
use airlock_stand_in::SampleApp;
use airlock_tests::{Post, World, program};
use serde_json::{Value, json};

/// Compiles as the program does, in a process of its own.
fn in_a_process(config: &mut ServerConfig) {
    config.compiler = Some(program::path());
}

/// A tool's answer.
async fn call(url: &str, tool: &str, arguments: Value) -> (String, bool) {
    let posted = Post::to(url).call(tool, arguments).send().await;
    posted
        .expect("an answer")
        .tool_text()
        .await
        .expect("a tool result")
}

/// Publishes the app that needs no inputs, with the hostile guest.
async fn publish(world: &World, guest: Vec<u8>) -> String {
    world
        .publish_with(SampleApp::WordCounter, Some(guest))
        .await
        .expect("published")
}

async fn behaves(url: &str) {
    assert_eq!(call(url, "behave", json!({})).await, ("good".into(), false));
}

/// The entries of a home's cache.
fn entries(home: &std::path::Path) -> Vec<PathBuf> {
    let found = std::fs::read_dir(home.join("cache")).expect("a home has one");
    let mut found: Vec<PathBuf> = found.map(|entry| entry.expect("an entry").path()).collect();
    found.sort();
    found
}
