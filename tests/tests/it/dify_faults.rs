//! Dify fails, and the caller reads what happened and whose turn it is.

use std::time::{Duration, Instant};

use airlock::config::LimitArgs;
use airlock_stand_in::{Behaviour, Canned, SampleApp};
use airlock_tests::{Post, World, WorldConfig};
use http::StatusCode;
use serde_json::{Value, json};

/// Silence after which a run counts as dead, in these tests.
const IDLE: Duration = Duration::from_secs(1);

/// Longer than any of these answers may take.
const SOON: Duration = Duration::from_secs(10);

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

/// Nothing of how this server reaches Dify.
fn nothing_internal(world: &World, text: &str) {
    let port = world.dify.url();
    for internal in [port.as_str(), "127.0.0.1", "http://", "/v1", "app-"] {
        assert!(!text.contains(internal), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failure_of_dify_is_a_tool_error_that_says_whose_turn_it_is() {
    use Behaviour::{
        ApiDisabled, BadGateway, Busy, EarlyErrorNoEof, Fail, NotPublished, Pause, RefuseKey,
        SilentAfterPing,
    };
    let world = world().await;
    let login_page = Canned {
        status: StatusCode::OK,
        content_type: "text/html",
        chunks: vec!["<html>Sign in</html>".into()],
        ends: true,
    };
    let (chat, agent, chatflow) = (
        SampleApp::TravelChat,
        SampleApp::WordCounter,
        SampleApp::SupportDesk,
    );
    let (completion, workflow) = (SampleApp::ProductBlurb, SampleApp::WeeklyReport);
    let cases = [
        (chat, RefuseKey, "the operator has to renew the key"),
        (workflow, ApiDisabled, "API access is switched off"),
        (workflow, NotPublished, "Its author has to publish it"),
        (
            completion,
            NotPublished,
            "Its author has to finish and publish it",
        ),
        (chatflow, Busy, "Try again in"),
        (agent, BadGateway, "Dify failed with status 502"),
        (completion, Behaviour::Canned(login_page), "is not Dify"),
        (workflow, Fail, "The app failed while it ran"),
        (chatflow, Fail, "The app failed while it ran"),
        (chat, Fail, "The model behind the app failed"),
        (chatflow, Pause, "waits for a person"),
        (workflow, Pause, "waits for a person"),
        (
            workflow,
            EarlyErrorNoEof,
            "failed while it ran: Internal Server Error",
        ),
        (chat, SilentAfterPing, "fell silent for 1 s"),
        (workflow, SilentAfterPing, "fell silent for 1 s"),
        (
            chat,
            Behaviour::EofWithoutTerminal,
            "ended before the app's answer was complete",
        ),
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
        nothing_internal(&world, &text);
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
    nothing_internal(&world, &text);

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
async fn a_stream_that_broke_off_after_the_run_ended_still_brings_the_answer() {
    let world = world().await;
    let app = SampleApp::WeeklyReport;
    let url = world.publish(app).await.expect("published");
    world.dify.set(app, Behaviour::EofWithoutTerminal);
    let (text, is_error, _) = call(&url, app).await;
    assert!(!is_error && text.contains("Shipped it"), "{text}");
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

#[tokio::test(flavor = "multi_thread")]
async fn wrong_arguments_name_the_field_and_never_reach_dify() {
    let world = world().await;
    let chat = world
        .publish(SampleApp::TravelChat)
        .await
        .expect("published");
    let workflow = world
        .publish(SampleApp::WeeklyReport)
        .await
        .expect("published");
    let before = world.dify.seen().request_count;
    let (trip, report) = ("travel_chat", "weekly_report");
    let long = "x".repeat(49);
    for (url, tool, arguments, field) in [
        (&chat, trip, json!({"query": "Where?"}), "topic"),
        (&chat, trip, json!({"topic": "Lisbon"}), "query"),
        (
            &chat,
            trip,
            json!({"topic": "Lisbon", "query": ""}),
            "query",
        ),
        (&chat, trip, json!({"topic": 7, "query": "Where?"}), "topic"),
        (
            &chat,
            trip,
            json!({"topic": long, "query": "Where?"}),
            "topic",
        ),
        (
            &chat,
            trip,
            json!({"topic": "Lisbon", "query": "Where?", "style": "odd"}),
            "style",
        ),
        (
            &chat,
            trip,
            json!({"topic": "Lisbon", "query": "Where?", "colour": "red"}),
            "colour",
        ),
        (
            &chat,
            trip,
            json!({"topic": "Lisbon", "query": "Where?", "conversation": "x"}),
            "conversation",
        ),
        (&workflow, report, json!({"title": "Week 1"}), "audience"),
        (
            &workflow,
            report,
            json!({"title": "Week 1", "audience": "team", "highlights": "many"}),
            "highlights",
        ),
        (
            &workflow,
            report,
            json!({"title": "Week 1", "audience": "team", "layout": {"bullet": 1}}),
            "layout",
        ),
    ] {
        let posted = Post::to(url).call(tool, arguments.clone()).send().await;
        let (text, is_error) = posted
            .expect("an answer")
            .tool_text()
            .await
            .expect("a tool result");
        println!("{arguments}: {text}");
        assert!(is_error && text.contains(field), "{arguments}: {text}");

        // Before 2025-11-25 it is an error of the protocol.
        let posted = Post::to(url)
            .call(tool, arguments.clone())
            .header("mcp-protocol-version", "2025-06-18")
            .send()
            .await;
        let response = posted.expect("an answer").response().await;
        let error = &response.expect("a message")["error"];
        assert_eq!(error["code"], -32602, "{arguments}: {error}");
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|words| words.contains(field)),
            "{arguments}: {error}"
        );
    }
    assert_eq!(
        world.dify.seen().request_count,
        before,
        "Dify was asked nothing"
    );
}
