//! Modes that came late, and modes that nobody has heard of yet: an app of one is published, and answers.

use airlock_stand_in::{Behaviour, Canned, SampleApp};
use airlock_tests::World;
use http::StatusCode;
use serde_json::{Value, json};

use super::call;
use crate::offers::result;

const APP: SampleApp = SampleApp::TravelChat;

/// An app of this mode, and its address.
async fn world(mode: &str) -> (World, String) {
    let world = World::start().await.expect("a world");
    world.dify.call_mode(APP, mode);
    let url = world.publish(APP).await.expect("published");
    (world, url)
}

fn stream(events: &[Value]) -> Behaviour {
    let events = events.iter().map(|event| {
        let mut event = event.clone();
        event["task_id"] = "t1".into();
        format!("data: {event}\n\n")
    });
    Behaviour::Canned(Canned::events(events))
}

fn refusal(code: &str) -> Behaviour {
    let body = json!({"code": code, "message": "No.", "status": 400}).to_string();
    Behaviour::Canned(Canned {
        status: StatusCode::BAD_REQUEST,
        content_type: "application/json",
        chunks: vec![body.into()],
        ends: true,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_of_a_mode_that_came_late_is_a_tool_whose_answer_comes_once() {
    let said = |event: &str, text: &str| json!({"event": event, "answer": text});
    let end = || json!({"event": "message_end", "conversation_id": "c1"});
    let flow =
        |event: &str, data: Value| json!({"event": event, "workflow_run_id": "r1", "data": data});
    let whole = [
        json!({"event": "agent_thought", "id": "1", "thought": ""}),
        said("agent_message", "All is "),
        said("agent_message", "well."),
        said("message", "All is well."),
        end(),
    ];
    let deltas = [said("message", "All is "), said("message", "well."), end()];
    let outputs = json!({"status": "succeeded", "outputs": {"report": "All is well."}});
    let nodes = [
        flow("workflow_started", json!({})),
        flow("workflow_finished", outputs),
    ];
    for (mode, events) in [
        ("agent", &whole[..]),
        ("oracle", &whole[..]),
        ("oracle", &deltas[..]),
        ("oracle", &nodes[..]),
    ] {
        let (world, url) = world(mode).await;
        let list = result(&url, "tools/list", None, json!({})).await;
        assert_eq!(list["tools"][0]["name"], "travel_chat", "{mode}: {list}");
        world.dify.set(APP, stream(events));
        let (text, is_error, _) = call(&url, APP).await;
        assert!(!is_error, "{mode}: {text}");
        assert_eq!(text.matches("All is well.").count(), 1, "{mode}: {text}");
        assert_eq!(text.matches("All is").count(), 1, "{mode}: {text}");
        let ran = world.dify.seen();
        assert_eq!(ran.calls("/v1/chat-messages"), 1, "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_such_an_app_from_running_is_said() {
    for (mode, code, words) in [
        ("agent", "agent_not_published", "never published in Dify"),
        ("agent", "app_unavailable", "not ready to run in Dify"),
        ("oracle", "not_chat_app", "this server does not know"),
    ] {
        let (world, url) = world(mode).await;
        world.dify.set(APP, refusal(code));
        let (text, is_error, _) = call(&url, APP).await;
        assert!(is_error && text.contains(words), "{mode}, {code}: {text}");
    }
}
