//! Another guest for an app that is being called.

use std::time::Duration;

use airlock::ops::{Operation, Reply};
use airlock_stand_in::{Behaviour, SampleApp};
use airlock_tests::guests::component;
use airlock_tests::{Post, World};
use http::StatusCode;
use serde_json::json;

use super::{call, publish};

/// Long enough for anything but a hang.
const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_runs_ends_with_the_old_guest_and_the_next_one_has_the_new() {
    let world = World::start().await.expect("a world");
    let url = world
        .publish_with(
            SampleApp::ProductBlurb,
            Some(component("airlock-guest-brief")),
        )
        .await
        .expect("published");
    world.dify.set(
        SampleApp::ProductBlurb,
        Behaviour::Slow {
            steps: 40,
            each: Duration::from_millis(50),
        },
    );
    let under_way = Post::to(&url)
        .call("brief", json!({"topic": "bees"}))
        .send();
    let under_way = under_way.await.expect("an answer begins");
    world
        .dify
        .wait_until(|seen| seen.streams == 1, SOON)
        .await
        .expect("the old guest's run is open");

    let taken = Operation::SetGuest {
        app: "product-blurb".into(),
        component: None,
    };
    world.ask(taken).await.expect("the built-in guest");
    assert_eq!(world.dify.seen().streams, 1, "the call runs on");
    world.dify.set(SampleApp::ProductBlurb, Behaviour::Normal);
    let arguments = json!({"query": "a kettle"});
    let (text, is_error) = call(&url, "product_blurb", arguments).await;
    assert!(!is_error && text.contains("kettle"), "{text}");
    let gone = Post::to(&url)
        .call("brief", json!({"topic": "bees"}))
        .send()
        .await;
    let gone = gone
        .expect("an answer")
        .response()
        .await
        .expect("a message");
    assert_eq!(gone["error"]["code"], -32602, "{gone}");

    // Only the old guest asks for points.
    let (text, is_error) = under_way.tool_text().await.expect("a tool result");
    assert!(
        !is_error && text.contains("3 short points") && text.contains("bees"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_cannot_describe_the_app_leaves_the_old_one_serving() {
    let world = World::start().await.expect("a world");
    let url = world
        .publish(SampleApp::WeeklyReport)
        .await
        .expect("published");
    let given = Operation::SetGuest {
        app: "weekly-report".into(),
        component: Some(component("airlock-guest-brief")),
    };
    let refused = world.ask(given).await.expect_err("it declines this app");
    assert!(
        refused.to_string().contains("does not serve this app"),
        "{refused}"
    );
    let list = Post::to(&url).rpc("tools/list", json!({})).send().await;
    let list = list.expect("an answer");
    assert_eq!(list.status, StatusCode::OK);
    let list = list.response().await.expect("a list");
    assert_eq!(list["result"]["tools"][0]["name"], "weekly_report");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_guest_would_change_is_said_beforehand_and_nothing_changes() {
    let world = World::start().await.expect("a world");
    let url = publish(&world, component("airlock-guest-hostile")).await;
    let app = || "word-counter".to_owned();
    let words = serde_json::from_value(json!({"tool": "panic", "description": "Does nothing."}));
    let describe = Operation::Describe {
        app: app(),
        words: words.expect("words"),
    };
    world.ask(describe).await.expect("described");
    let check = async |component: Vec<u8>| {
        let asked = Operation::CheckGuest {
            app: app(),
            component,
        };
        match world.ask(asked).await.expect("it is a guest") {
            Reply::Checked { check } => check,
            other => panic!("{other:?}"),
        }
    };

    let same = check(component("airlock-guest-hostile")).await;
    assert!(same.changes.expect("it was compared").is_empty());

    let other = check(component("airlock-guest-default")).await;
    assert_eq!(other.app.as_deref(), Some("word-counter"));
    let dify = other
        .imports
        .iter()
        .position(|name| name == "airlock:guest/dify@0.1.0");
    assert_eq!(
        other.permissions[dify.expect("it runs its app")],
        "may run the Dify app that it serves, and no other"
    );
    let changes = other.changes.expect("it was compared");
    assert_eq!(changes.added, ["word_counter"]);
    assert_eq!(changes.removed.len(), 8);
    assert!(
        changes.besides.contains(&"prompts".to_owned()),
        "{changes:?}"
    );
    assert_eq!(
        changes.unmatched,
        ["the guest has no tool \"panic\" any more; its texts are kept"]
    );
    super::behaves(&url).await;
}
