//! Dify fails, and the caller reads what happened and whose turn it is.
//!
//! * `arguments`: what never reaches Dify.
//! * `crowd`: more callers than Dify takes.
//! * `drift`: an app changes in Dify, vanishes, or gets another key.
//! * `failures`: the app fails, pauses or is not ready; Dify is down.
//! * `faults`: the twenty faults of the wire, in one table.
//! * `modes`: apps of modes that came late.

mod arguments;
mod crowd;
mod drift;
mod failures;
mod faults;
mod modes;

use std::time::{Duration, Instant};

use airlock_stand_in::SampleApp;
use airlock_tests::Post;
use serde_json::{Value, json};

/// Silence after which a run counts as dead, in these tests.
const IDLE: Duration = Duration::from_secs(1);

/// Longer than any of these answers may take.
const SOON: Duration = Duration::from_secs(20);

/// The name of an app's tool, and arguments that it takes.
fn good(app: SampleApp) -> (&'static str, Value) {
    match app {
        SampleApp::TravelChat => (
            "travel_chat",
            json!({"query": "Where to?", "topic": "Lisbon"}),
        ),
        SampleApp::WordCounter => ("word_counter", json!({"query": "one two"})),
        SampleApp::SupportDesk => ("support_desk", json!({"query": "Where is it?"})),
        SampleApp::ProductBlurb => ("product_blurb", json!({"query": "A lamp"})),
        SampleApp::WeeklyReport => (
            "weekly_report",
            json!({"title": "Week 1", "notes": "Shipped it", "audience": "team"}),
        ),
        SampleApp::FileClerk => ("file_clerk", json!({})),
        SampleApp::PhotoChat => ("photo_chat", json!({"query": "What is it?"})),
    }
}

/// A good call: what its caller reads, whether it is an error, and how long that took.
async fn call(url: &str, app: SampleApp) -> (String, bool, Duration) {
    let (tool, arguments) = good(app);
    let began = Instant::now();
    let answer = async {
        let posted = Post::to(url).call(tool, arguments).send().await?;
        posted.tool_text().await
    };
    let (text, is_error) = tokio::time::timeout(SOON, answer)
        .await
        .expect("an answer in time")
        .expect("a tool result");
    (text, is_error, began.elapsed())
}

/// Nothing of how a server reaches its Dify stands in what a caller reads.
fn nothing_internal(text: &str) {
    for internal in ["127.0.0.1", "http://", "/v1", "app-", "t-1", "r-1"] {
        assert!(!text.contains(internal), "{text}");
    }
}
