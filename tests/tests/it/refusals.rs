//! Components that are no guests: refused at the door, and nothing changes.

use airlock::ops::{Operation, Reply};
use airlock_stand_in::SampleApp;
use airlock_tests::guests::component;
use airlock_tests::{Post, World};
use serde_json::json;

/// A component that imports an empty instance by this name, and nothing else.
fn importing(name: &str) -> Vec<u8> {
    let length = u8::try_from(name.len()).expect("a short name");
    let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
    // A type section with one instance type of no members.
    bytes.extend([7, 3, 1, 0x42, 0]);
    // An import section with one plain name, an instance of type 0.
    bytes.extend([10, length + 5, 1, 0, length]);
    bytes.extend(name.as_bytes());
    bytes.extend([5, 0]);
    bytes
}

/// What is no guest, and the words that say what is wrong with it.
fn no_guests() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let good = component("airlock-guest-hostile");
    let mut cut = good.clone();
    cut.truncate(good.len() / 2);
    vec![
        ("nothing", Vec::new(), "not WebAssembly"),
        ("a script", b"#!/bin/sh\n".to_vec(), "not WebAssembly"),
        (
            "a core module",
            b"\0asm\x01\0\0\0".to_vec(),
            "carries no component type",
        ),
        (
            "an empty component",
            b"\0asm\x0d\0\x01\0".to_vec(),
            "does not export airlock:guest/tools@0.1.0",
        ),
        ("half a guest", cut, "does not compile"),
        (
            "one that wants sockets",
            importing("wasi:sockets/tcp@0.2.0"),
            "imports what no guest is given: wasi:sockets/tcp@0.2.0",
        ),
        (
            "one that wants HTTP",
            importing("wasi:http/outgoing-handler@0.2.0"),
            "imports what no guest is given: wasi:http/outgoing-handler@0.2.0",
        ),
        (
            "one of a contract to come",
            importing("airlock:guest/dify@0.9.0"),
            "imports what no guest is given: airlock:guest/dify@0.9.0",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_guest_is_refused_when_an_app_is_added() {
    let world = World::start().await.expect("a world");
    for (what, bytes, words) in no_guests() {
        let refused = world
            .add(SampleApp::TravelChat, Some(bytes))
            .await
            .expect_err(what);
        assert!(refused.to_string().contains(words), "{what}: {refused}");
    }
    let Reply::Apps { apps } = world.ask(Operation::List).await.expect("a list") else {
        panic!("a list answers with apps");
    };
    assert!(apps.is_empty(), "nothing was registered");
    world
        .publish(SampleApp::TravelChat)
        .await
        .expect("the same key is welcome with a good guest");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_guest_leaves_the_old_one_serving() {
    let world = World::start().await.expect("a world");
    let url = world
        .publish_with(
            SampleApp::TravelChat,
            Some(component("airlock-guest-hostile")),
        )
        .await
        .expect("published");
    for (what, bytes, words) in no_guests() {
        let refused = world
            .ask(Operation::SetGuest {
                app: "travel-chat".into(),
                component: Some(bytes),
            })
            .await
            .expect_err(what);
        assert!(refused.to_string().contains(words), "{what}: {refused}");
        let posted = Post::to(&url).call("behave", json!({})).send().await;
        let (text, is_error) = posted
            .expect("an answer")
            .tool_text()
            .await
            .expect("a tool result");
        assert!(!is_error && text == "good", "after {what}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_does_not_serve_the_app_is_refused_in_its_own_words() {
    let world = World::start().await.expect("a world");
    let refused = world
        .add(
            SampleApp::WeeklyReport,
            Some(component("airlock-guest-brief")),
        )
        .await
        .expect_err("the example gives one text, and this app requires more");
    assert!(
        refused
            .to_string()
            .contains("the guest does not serve this app")
            && refused.to_string().contains("`title`"),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_guest_serves_the_next_call_at_the_same_address() {
    let world = World::start().await.expect("a world");
    let url = world
        .publish(SampleApp::WordCounter)
        .await
        .expect("published");
    let names = async || {
        let posted = Post::to(&url).rpc("tools/list", json!({})).send().await;
        let list = posted.expect("an answer").response().await;
        let list = list.expect("a list");
        let tools = list["result"]["tools"].as_array().expect("tools").clone();
        let names = tools.into_iter().map(|tool| tool["name"].to_string());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names().await, [r#""word_counter""#]);
    let app = || "word-counter".to_owned();
    let given = Operation::SetGuest {
        app: app(),
        component: Some(component("airlock-guest-hostile")),
    };
    world.ask(given).await.expect("a good guest");
    assert_eq!(names().await.len(), 8);
    let taken = Operation::SetGuest {
        app: app(),
        component: None,
    };
    world.ask(taken).await.expect("the built-in one");
    assert_eq!(names().await, [r#""word_counter""#]);
}
