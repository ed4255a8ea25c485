//! An app changes in Dify, vanishes, or gets another key.

use std::time::Duration;

use airlock::config::LimitArgs;
use airlock::ops::{AppView, Change, InputWords, Operation, Reply, Words};
use airlock_registry::Secret;
use airlock_stand_in::{Behaviour, SampleApp};
use airlock_tests::world::address;
use airlock_tests::{Post, World, WorldConfig};
use serde_json::{Value, json};

use super::{SOON, call};
use crate::offers::ask;

const APP: SampleApp = SampleApp::WeeklyReport;
const SLUG: &str = "weekly-report";

/// A world that looks at Dify about every second.
async fn watchful() -> World {
    World::with(WorldConfig {
        limits: LimitArgs {
            refresh_every: 1,
            ..LimitArgs::default()
        },
        ..WorldConfig::default()
    })
    .await
    .expect("a world")
}

async fn show(world: &World) -> AppView {
    let show = Operation::Show {
        app: SLUG.into(),
        reveal: false,
    };
    match world.ask(show).await.expect("it is registered") {
        Reply::App { app } => app,
        other => panic!("{other:?}"),
    }
}

/// Waits until the operator sees this of the app's trouble.
async fn trouble(world: &World, seen: impl Fn(Option<&str>) -> bool) {
    let waited = async {
        while !seen(show(world).await.trouble.as_deref()) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(SOON, waited)
        .await
        .unwrap_or_else(|_| panic!("the app's trouble did not come or go"));
}

async fn tool(url: &str) -> Value {
    let posted = Post::to(url).rpc("tools/list", json!({})).send().await;
    let response = posted.expect("an answer").response().await;
    response.expect("a list")["result"]["tools"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_form_changes_the_tool_is_announced_and_keeps_the_operators_words() {
    let world = watchful().await;
    let url = world.publish(APP).await.expect("published");
    let words = Words {
        description: Change::Set("Writes the team's report of the week.".into()),
        inputs: [(
            "title".to_owned(),
            InputWords {
                description: Change::Set("Which week.".into()),
                ..InputWords::default()
            },
        )]
        .into(),
        ..Words::default()
    };
    let describe = Operation::Describe {
        app: SLUG.into(),
        words,
    };
    world.ask(describe).await.expect("described");
    let wanted = json!({"notifications": {"toolsListChanged": true}});
    let mut stream = ask(&url, "subscriptions/listen", None, wanted).await;
    let mut heard = async || -> String {
        let message = tokio::time::timeout(SOON, stream.next()).await;
        let message = message.expect("in time").expect("a sound stream");
        let message = message.expect("the stream goes on");
        message["method"]
            .as_str()
            .expect("a notification")
            .to_owned()
    };
    assert_eq!(heard().await, "notifications/subscriptions/acknowledged");

    world.dify.add_input(APP, "mood", "Mood of the team");
    assert_eq!(heard().await, "notifications/tools/list_changed");
    let tool = tool(&url).await;
    let properties = &tool["inputSchema"]["properties"];
    assert!(properties["mood"].is_object(), "{tool}");
    assert_eq!(tool["description"], "Writes the team's report of the week.");
    assert_eq!(properties["title"]["description"], "Which week.");
    let arguments = json!({"title": "Week 1", "audience": "team", "mood": "good"});
    let posted = Post::to(&url).call("weekly_report", arguments).send().await;
    let (text, is_error) = posted
        .expect("an answer")
        .tool_text()
        .await
        .expect("a result");
    assert!(!is_error, "{text}");
    assert_eq!(show(&world).await.trouble, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_cannot_be_used_is_in_trouble_until_it_can_and_a_dify_that_is_down_is_no_trouble()
 {
    let world = watchful().await;
    let url = world.publish(APP).await.expect("published");
    let before = tool(&url).await;
    for (behaviour, words, told) in [
        (Behaviour::RefuseKey, "airlock app key", "renew the key"),
        (
            Behaviour::ApiDisabled,
            "API service has been disabled",
            "API access is switched off",
        ),
        (Behaviour::NotPublished, "cannot run", "publish"),
    ] {
        world.dify.set(APP, behaviour);
        trouble(&world, |trouble| {
            trouble.is_some_and(|trouble| trouble.contains(words))
        })
        .await;
        let (text, is_error, _) = call(&url, APP).await;
        assert!(is_error && text.contains(told), "{text}");
        world.dify.set(APP, Behaviour::Normal);
        trouble(&world, |trouble| trouble.is_none()).await;
    }

    world.dify.down().await;
    // Longer than any pause between two looks.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(show(&world).await.trouble, None);
    assert_eq!(tool(&url).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_gets_another_key_and_keeps_everything_else() {
    let world = World::start().await.expect("a world");
    let url = world.publish(APP).await.expect("published");
    world.add(SampleApp::TravelChat, None).await.expect("added");
    let key = world.dify.replace_key(APP);
    let (text, is_error, _) = call(&url, APP).await;
    assert!(is_error && text.contains("renew the key"), "{text}");

    let set = |key: &str| Operation::SetKey {
        app: SLUG.into(),
        key: Secret::new(key),
    };
    for (wrong, words) in [
        (
            world.dify.key(SampleApp::WordCounter),
            "of the mode agent-chat",
        ),
        (world.dify.key(SampleApp::TravelChat), "of the mode chat"),
        (world.dify.key(APP), "does not know the key"),
        ("dataset-1", "app-"),
    ] {
        let refused = world
            .ask(set(wrong))
            .await
            .expect_err("no key for this app");
        let told = refused.to_string();
        assert!(told.contains(words) && !told.contains(wrong), "{told}");
    }
    let (_, is_error, _) = call(&url, APP).await;
    assert!(is_error, "nothing was changed");

    world.ask(set(&key)).await.expect("the app's new key");
    let (text, is_error, _) = call(&url, APP).await;
    assert!(!is_error, "{text}");
    let show = Operation::Show {
        app: SLUG.into(),
        reveal: true,
    };
    let same = address(world.ask(show).await.expect("there")).expect("an address");
    assert_eq!(same, url);

    let world = world.restart().await.expect("the server comes back");
    let show = Operation::Show {
        app: SLUG.into(),
        reveal: true,
    };
    let url = address(world.ask(show).await.expect("there")).expect("an address");
    let (text, is_error, _) = call(&url, APP).await;
    assert!(!is_error, "the key is kept: {text}");
}
