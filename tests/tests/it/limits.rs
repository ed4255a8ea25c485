//! Bounds of an app's own.

use airlock::limits::Limit;
use airlock::ops::{OpError, Operation, Reply};
use airlock_stand_in::SampleApp;
use airlock_tests::guests::component;
use airlock_tests::{Post, World, world};
use serde_json::json;

const APP: &str = "word-counter";

async fn limit(world: &World, limit: Limit, value: Option<u64>) -> Result<Reply, OpError> {
    let app = APP.to_owned();
    let limits = [(limit, value)].into();
    world.ask(Operation::Limit { app, limits }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bound_of_an_apps_own_holds_from_its_next_call_on_and_until_it_is_taken_off() {
    let world = World::start().await.expect("a world");
    let guest = component("airlock-guest-hostile");
    let url = world.publish_with(SampleApp::WordCounter, Some(guest));
    let url = url.await.expect("published");
    let call = async |tool: &str| {
        let posted = Post::to(&url).call(tool, json!({})).send().await;
        let answer = posted.expect("an answer").tool_text().await;
        answer.expect("a tool result").0
    };
    let memory = async || {
        let text = call("eat_memory").await;
        let (_, rest) = text.split_once("asked for more than ").expect("refused");
        rest.split_once(" of memory").expect("memory").0.to_owned()
    };
    assert_eq!(memory().await, "64 MiB");
    let set = limit(&world, Limit::Memory, Some(128 << 20)).await;
    let Ok(Reply::App { app }) = set else {
        panic!("{set:?}")
    };
    assert_eq!(app.limits, [(Limit::Memory, 128 << 20)].into());
    assert_eq!(memory().await, "128 MiB");
    let set = limit(&world, Limit::Cpu, Some(100)).await;
    set.expect("a bound that an app may have");
    let text = call("spin").await;
    assert!(text.contains("computed for more than 100ms"), "{text}");

    // It is kept with the app, and another server knows it.
    let world = world.restart().await.expect("it comes back");
    let revealed = world.ask(Operation::Show {
        app: APP.into(),
        reveal: true,
    });
    let revealed = revealed.await.expect("it is there");
    let Reply::App { app } = &revealed else {
        panic!("{revealed:?}")
    };
    assert_eq!(app.limits.len(), 2);
    let url = world::address(revealed).expect("an address");
    limit(&world, Limit::Cpu, None).await.expect("it is there");
    let posted = Post::to(&url).call("spin", json!({})).send().await;
    let answer = posted.expect("an answer").tool_text().await;
    let (text, _) = answer.expect("a tool result");
    assert!(text.contains("computed for more than 2s"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_there_is_no_room_for_is_refused_with_the_most_there_is() {
    let world = World::start().await.expect("a world");
    world
        .add(SampleApp::WordCounter, None)
        .await
        .expect("registered");
    let refusal = limit(&world, Limit::Memory, Some(1 << 30)).await;
    let words = refusal.expect_err("too much").to_string();
    assert!(
        words.contains("1024MiB of memory") && words.contains("to 256MiB"),
        "{words}"
    );
    assert!(words.contains("the engine has room for"), "{words}");
    let refusal = limit(&world, Limit::Stack, Some(1 << 20)).await;
    let words = refusal.expect_err("the engine's").to_string();
    assert!(words.contains("the same for all apps"), "{words}");
}
