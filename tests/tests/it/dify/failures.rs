//! The app fails, pauses or is not ready; Dify is down; the deadline passes.

use std::time::Duration;

use airlock::config::LimitArgs;
use airlock_stand_in::{Behaviour, Canned, SampleApp};
use airlock_tests::{Post, World, WorldConfig};
use serde_json::json;

use super::{IDLE, SOON, call, good, nothing_internal};

async fn world() -> World {
    World::with(WorldConfig {
        adjust: |server| {
            let dify = server.dify.as_mut().expect("every world has a Dify");
            (dify.idle_flow, dify.idle_chat, dify.read_timeout) = (IDLE, IDLE, IDLE);
        },
        ..WorldConfig::default()
    })
    .await
    .expect("a world")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failure_of_an_app_is_a_tool_error_that_says_whose_turn_it_is() {
    use Behaviour::{Fail, NotPublished, Pause};
    let world = world().await;
    let (chat, chatflow) = (SampleApp::TravelChat, SampleApp::SupportDesk);
    let (completion, workflow) = (SampleApp::ProductBlurb, SampleApp::WeeklyReport);
    let cases = [
        (workflow, NotPublished, "Its author has to publish it"),
        (
            completion,
            NotPublished,
            "Its author has to finish and publish it",
        ),
        (workflow, Fail, "The app failed while it ran"),
        (chatflow, Fail, "The app failed while it ran"),
        (chat, Fail, "The model behind the app failed"),
        (chatflow, Pause, "waits for a person"),
        (workflow, Pause, "waits for a person"),
    ];
    let mut urls = std::collections::HashMap::new();
    for app in SampleApp::ALL {
        urls.insert(app, world.publish(app).await.expect("published"));
    }
    for (app, behaviour, words) in cases {
        world.dify.set(app, behaviour.clone());
        let (text, is_error, took) = call(&urls[&app], app).await;
        println!("{app:?}, {behaviour:?}, {took:?}: {text}");
        assert!(is_error, "{app:?}, {behaviour:?}: {text}");
        assert!(text.contains(words), "{app:?}, {behaviour:?}: {text}");
        nothing_internal(&text);
        // It is over when Dify is well again.
        world.dify.set(app, Behaviour::Normal);
        let (text, is_error, _) = call(&urls[&app], app).await;
        assert!(!is_error, "{app:?} after {behaviour:?}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dify_that_is_down_is_said_to_be_and_lists_go_on() {
    let world = world().await;
    let app = SampleApp::TravelChat;
    let url = world.publish(app).await.expect("published");
    world.dify.down().await;
    let (text, is_error, took) = call(&url, app).await;
    println!("{took:?}: {text}");
    assert!(
        is_error && text.contains("Dify cannot be reached right now"),
        "{text}"
    );
    nothing_internal(&text);

    // Also from a server that never saw this Dify.
    let world = world.restart().await.expect("a start without Dify");
    let port = world.server.address.port();
    let url = on_port(&url, port);
    let list = Post::to(&url).rpc("tools/list", json!({})).send().await;
    let list = list.expect("an answer").response().await.expect("a list");
    assert_eq!(list["result"]["tools"][0]["name"], "travel_chat", "{list}");
    let (text, is_error, _) = call(&url, app).await;
    assert!(
        is_error && text.contains("Dify cannot be reached"),
        "{text}"
    );

    world.dify.up().await.expect("the port is still free");
    let (text, is_error, _) = call(&url, app).await;
    assert!(!is_error, "{text}");
}

/// The address on another port: a restarted server of a test has a new one.
fn on_port(url: &str, port: u16) -> String {
    let (_, path) = url.split_once("/server/").expect("…/server/CODE/mcp");
    format!("http://localhost:{port}/server/{path}")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_cannot_be_added_while_dify_is_down_and_nothing_is_kept_of_it() {
    let world = world().await;
    world.dify.down().await;
    let refused = world
        .add(SampleApp::TravelChat, None)
        .await
        .expect_err("nobody can say what the app is");
    let words = refused.to_string();
    // This is for the operator, who has to know where Airlock looked; but no key stands in it.
    assert!(
        words.contains("is Dify up, and the address right?"),
        "{words}"
    );
    assert!(
        !words.contains(world.dify.key(SampleApp::TravelChat)),
        "{words}"
    );
    assert!(world.server.operations.registry.snapshot().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_over_a_failed_step_is_given_with_a_note() {
    let world = world().await;
    let app = SampleApp::WeeklyReport;
    let url = world.publish(app).await.expect("published");
    world.dify.set(app, Behaviour::PartialSuccess);
    let (text, is_error, _) = call(&url, app).await;
    assert!(!is_error, "{text}");
    assert!(text.contains("Note: a step of this app failed"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_over_the_cap_is_cut_and_says_so() {
    const CAP: usize = 4 << 20;
    let world = world().await;
    let text = "All is well. ".repeat(6 << 20 >> 4);
    let said =
        json!({"event": "message", "task_id": "t-1", "conversation_id": "c-1", "answer": text});
    let end = json!({"event": "message_end", "task_id": "t-1", "conversation_id": "c-1"});
    let chat = Canned::events([format!("data: {said}\n\n"), format!("data: {end}\n\n")]);
    let outputs = json!({"report": text, "title": "Week 1"});
    let data = json!({"status": "succeeded", "outputs": outputs});
    let ended = json!({"event": "workflow_finished", "task_id": "t-1", "data": data});
    let workflow = Canned::events([format!("data: {ended}\n\n")]);
    for (app, canned) in [
        (SampleApp::TravelChat, chat),
        (SampleApp::WeeklyReport, workflow),
    ] {
        let url = world.publish(app).await.expect("published");
        world.dify.set(app, Behaviour::Canned(canned));
        let (tool, arguments) = good(app);
        // Read in one piece, which is quicker for so much.
        let post = Post::to(&url)
            .call(tool, arguments)
            .header("accept", "application/json");
        let answer = post.send().await.expect("an answer").tool_text();
        let (said, is_error) = tokio::time::timeout(SOON, answer)
            .await
            .expect("in time")
            .expect("a tool result");
        let note = "Note: this answer was longer than this server passes on";
        assert!(
            !is_error && said.contains(note),
            "{app:?}: {} bytes, the last of them: {:?}",
            said.len(),
            said.chars()
                .rev()
                .take(300)
                .collect::<String>()
                .chars()
                .rev()
                .collect::<String>()
        );
        assert!(
            said.len() > CAP - 1024 && said.len() < CAP + 4096,
            "{app:?}: {} bytes",
            said.len()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_over_the_deadline_ends_as_a_tool_error_and_is_stopped() {
    let world = World::with(WorldConfig {
        limits: LimitArgs {
            call_deadline: 1,
            ..LimitArgs::default()
        },
        ..WorldConfig::default()
    })
    .await
    .expect("a world");
    let app = SampleApp::WeeklyReport;
    let url = world.publish(app).await.expect("published");
    world.dify.set(
        app,
        Behaviour::Slow {
            steps: 1_000,
            each: Duration::from_millis(20),
        },
    );
    let (text, is_error, took) = call(&url, app).await;
    assert!(is_error && text.contains("ended after 1 second"), "{text}");
    assert!(
        took >= Duration::from_secs(1) && took < Duration::from_millis(1_500),
        "{took:?}"
    );
    world
        .dify
        .wait_until(|seen| seen.stops.iter().any(|stop| stop.effective), SOON)
        .await
        .expect("the run is stopped");
}
