//! The answer's text in progress messages, for who asks for it.

use std::time::Duration;

use airlock_stand_in::{Behaviour, Canned, Options, SampleApp};
use airlock_tests::{Post, World, WorldConfig};
use serde_json::{Value, json};

use super::{legacy, modern, set};

const APP: SampleApp = SampleApp::TravelChat;
const TOOL: &str = "travel_chat";
/// What the stand-in says, a word every tenth of a second.
const SAID: &str = "About Lisbon: you asked \"Where to?\" (style: brief, turn 1).";

async fn slow() -> World {
    World::with(WorldConfig {
        dify: Options {
            step: Duration::from_millis(800),
            ..Options::instant()
        },
        ..WorldConfig::default()
    })
    .await
    .expect("a world")
}

/// The same call in both eras, with this in `_meta`.
fn calls(url: &str, meta: Value) -> [Post; 2] {
    let arguments = || json!({"query": "Where to?", "topic": "Lisbon", "style": "brief"});
    [
        legacy(url, TOOL, arguments(), meta.clone()),
        modern(url, TOOL, arguments(), meta),
    ]
}

/// The messages of a call's progress, in order, and its answer's text.
async fn watched(post: Post) -> (Vec<String>, String) {
    let mut posted = post.send().await.expect("an answer");
    assert!(posted.streams(), "it takes a while");
    let mut messages = Vec::new();
    loop {
        let message = posted.next().await.expect("a sound stream");
        let message = message.expect("an answer before the end");
        match message["method"].as_str() {
            Some("notifications/progress") => {
                let shown = message["params"]["message"].as_str();
                messages.extend(shown.map(str::to_owned));
            }
            Some(other) => panic!("{other}"),
            None => return (messages, super::text(&message["result"])),
        }
    }
}

fn asked() -> Value {
    json!({"progressToken": "p", "airlock/partialText": true})
}

fn unasked() -> Value {
    json!({"progressToken": "p"})
}

#[track_caller]
fn shows_the_text(messages: &[String]) {
    let shown: Vec<&String> = messages
        .iter()
        .filter(|it| it.starts_with("About"))
        .collect();
    assert!(shown.len() > 2, "{messages:?}");
    assert!(
        shown.iter().all(|text| SAID.starts_with(text.as_str())),
        "{messages:?}"
    );
    assert!(
        shown.windows(2).all(|pair| pair[0].len() <= pair[1].len()),
        "{messages:?}"
    );
    assert_eq!(messages.last().map(String::as_str), Some(SAID));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_text_is_shown_to_who_asks_for_it_as_it_grows() {
    let world = slow().await;
    let url = world.publish(APP).await.expect("published");
    let [older, newer] = calls(&url, asked());
    let [plain, other] = calls(&url, unasked());
    let strange = legacy(
        &url,
        TOOL,
        json!({"query": "Where to?", "topic": "Lisbon"}),
        json!({"progressToken": "p", "airlock/partialText": "yes"}),
    );
    let (older, newer) = tokio::join!(watched(older), watched(newer));
    for (messages, text) in [older, newer] {
        shows_the_text(&messages);
        assert!(text.starts_with(SAID), "{text}");
    }
    let rest = tokio::join!(watched(plain), watched(other), watched(strange));
    for (messages, _) in [rest.0, rest.1, rest.2] {
        assert!(!messages.is_empty());
        assert!(
            messages.iter().all(|it| !it.contains("About")),
            "{messages:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_may_show_it_to_all_or_to_nobody() {
    let world = slow().await;
    let url = world.publish(APP).await.expect("published");
    set(&world, APP, "partial_text", Some("always")).await;
    let [older, newer] = calls(&url, unasked());
    let (older, newer) = tokio::join!(watched(older), watched(newer));
    for (messages, _) in [older, newer] {
        shows_the_text(&messages);
    }
    set(&world, APP, "partial_text", Some("never")).await;
    let [older, newer] = calls(&url, asked());
    let (older, newer) = tokio::join!(watched(older), watched(newer));
    for (messages, _) in [older, newer] {
        assert!(
            messages.iter().all(|it| !it.contains("About")),
            "{messages:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_moderation_replaced_is_the_last_that_is_shown() {
    let world = World::start().await.expect("a world");
    let url = world.publish(APP).await.expect("published");
    let event = |event: &str, answer: &str| {
        let data =
            json!({"event": event, "task_id": "t-1", "conversation_id": "c-1", "answer": answer});
        format!("data: {data}\n\n")
    };
    let canned = Canned::events([
        event("message", "The password is "),
        event("message", "hunter2"),
        event("message_replace", "I cannot say that."),
        event("message", " hunter2"),
        event("message_end", ""),
    ]);
    world.dify.set(APP, Behaviour::Canned(canned));
    for post in calls(&url, asked()) {
        let (messages, text) = watched(post).await;
        assert_eq!(
            messages.last().map(String::as_str),
            Some("I cannot say that.")
        );
        assert!(text.starts_with("I cannot say that."), "{text}");
    }
}
