//! Runs that do not simply succeed: failures, stops, silence, and a Dify that is full or down.

use std::time::Duration;

use serde_json::{Value, json};

use super::SOON;
use super::client::{Client, Reply, get, post, request};
use crate::{Behaviour, Canned, Options, SampleApp, StandIn};

/// A pace at which no test waits for a run's end.
const ENDLESS: Behaviour = Behaviour::Slow {
    steps: 1,
    each: Duration::from_secs(3_600),
};

async fn report(dify: &StandIn) -> Reply {
    let body = json!({"inputs": {"title": "T", "audience": "team"}, "response_mode": "streaming", "user": "u1"});
    post(dify, SampleApp::WeeklyReport, "/v1/workflows/run", &body).await
}

async fn chat(dify: &StandIn, app: SampleApp) -> Reply {
    let body =
        json!({"inputs": {"topic": "T"}, "query": "q", "response_mode": "streaming", "user": "u1"});
    post(dify, app, "/v1/chat-messages", &body).await
}

fn last(events: &[Value]) -> &Value {
    events.last().unwrap()
}

/// Reads events until the one with this name.
async fn until(reply: &mut Reply, name: &str) -> Value {
    loop {
        let event = reply.event().await.unwrap();
        if event["event"] == name {
            return event;
        }
    }
}

#[tokio::test]
async fn a_failing_node_fails_the_flow() {
    let dify = StandIn::start(Options::instant()).await.unwrap();
    dify.set(SampleApp::WeeklyReport, Behaviour::Fail);
    dify.set(SampleApp::SupportDesk, Behaviour::Fail);
    for events in [
        report(&dify).await.events().await,
        chat(&dify, SampleApp::SupportDesk).await.events().await,
    ] {
        let [.., node, end] = events.as_slice() else {
            panic!("{events:?}")
        };
        assert_eq!(
            (&node["event"], &node["data"]["status"]),
            (&json!("node_finished"), &json!("failed"))
        );
        assert_eq!(end["event"], "workflow_finished");
        assert_eq!(end["data"]["status"], "failed");
        assert_eq!(end["data"]["error"], "[Errno 111] Connection refused");
        assert!(!events.iter().any(|event| event["event"] == "message_end"));
    }
}

#[tokio::test]
async fn a_failing_model_ends_a_chat_with_one_error() {
    let dify = StandIn::start(Options::instant()).await.unwrap();
    dify.set(SampleApp::TravelChat, Behaviour::Fail);
    let events = chat(&dify, SampleApp::TravelChat).await.events().await;
    let keys: Vec<_> = last(&events)
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        keys,
        [
            "event",
            "conversation_id",
            "message_id",
            "created_at",
            "code",
            "status",
            "message"
        ]
    );
    assert_eq!(last(&events)["code"], "completion_request_error");
}

#[tokio::test]
async fn a_fail_branch_makes_the_run_partial() {
    let dify = StandIn::start(Options::instant()).await.unwrap();
    dify.set(SampleApp::WeeklyReport, Behaviour::PartialSuccess);
    let events = report(&dify).await.events().await;
    assert_eq!(last(&events)["data"]["status"], "partial-succeeded");
    assert_eq!(last(&events)["data"]["exceptions_count"], 1);
    let exceptions = events
        .iter()
        .filter(|event| event["data"]["status"] == "exception");
    assert_eq!(exceptions.count(), 1);
}

#[tokio::test]
async fn a_pause_ends_the_stream_with_its_reason() {
    let dify = StandIn::start(Options::instant()).await.unwrap();
    dify.set(SampleApp::WeeklyReport, Behaviour::Pause);
    let events = report(&dify).await.events().await;
    let [.., node, form, pause] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(node["data"]["node_type"], "human-input");
    assert_eq!(form["event"], "human_input_required");
    assert_eq!(pause["event"], "workflow_paused");
    assert_eq!(pause["data"]["reasons"][0]["TYPE"], "human_input_required");
    assert_eq!(
        pause["data"]["reasons"][0]["form_id"],
        form["data"]["form_id"]
    );
}

#[tokio::test]
async fn a_missing_input_leaves_a_flow_stream_open_after_a_bare_error() {
    let dify = StandIn::start(Options::instant()).await.unwrap();
    let body = json!({"inputs": {}, "response_mode": "streaming", "user": "u1"});
    let mut reply = post(&dify, SampleApp::WeeklyReport, "/v1/workflows/run", &body).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.chunk().await.unwrap(), "event: ping\n\n");
    assert_eq!(
        reply.chunk().await.unwrap(),
        "data: {\"event\":\"error\",\"message\":\"title is required in input form\",\"status\":500}\n\n"
    );
    // Still open: only the client's leaving ends it.
    assert_eq!(dify.seen().streams, 1);
    drop(reply);
    dify.wait_until(|seen| seen.streams == 0, SOON)
        .await
        .unwrap();
}

#[tokio::test]
async fn silence_and_early_errors_can_be_asked_for() {
    let dify = StandIn::start(Options::instant()).await.unwrap();
    dify.set(SampleApp::WeeklyReport, Behaviour::SilentAfterPing);
    let mut silent = report(&dify).await;
    assert_eq!(silent.chunk().await.unwrap(), "event: ping\n\n");
    dify.set(SampleApp::WeeklyReport, Behaviour::EarlyErrorNoEof);
    let mut early = report(&dify).await;
    assert_eq!(
        early.event().await.unwrap(),
        json!({"event": "error", "message": "Internal Server Error", "status": 500})
    );
    assert_eq!(dify.seen().streams, 2);
}

#[tokio::test]
async fn run_detail_tells_what_a_cut_stream_did_not() {
    let dify = StandIn::start(Options::instant()).await.unwrap();
    dify.set(SampleApp::WeeklyReport, Behaviour::EofWithoutTerminal);
    let events = report(&dify).await.events().await;
    assert_eq!(last(&events)["event"], "node_finished");
    let id = events[0]["workflow_run_id"].as_str().unwrap();
    let detail = get(
        &dify,
        SampleApp::WeeklyReport,
        &format!("/v1/workflows/run/{id}"),
    )
    .await
    .json()
    .await;
    assert_eq!(detail["status"], "succeeded");
    assert_eq!(detail["outputs"]["title"], "T");
    let inputs: Value = serde_json::from_str(detail["inputs"].as_str().unwrap()).unwrap();
    assert_eq!(inputs["sys.user_id"], "u1");
}

#[tokio::test]
async fn a_stop_ends_a_workflow_for_any_user() {
    let dify = StandIn::start(Options::instant()).await.unwrap();
    let app = SampleApp::WeeklyReport;
    dify.set(app, ENDLESS);
    let mut run = report(&dify).await;
    let task = until(&mut run, "workflow_started").await["task_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let stop = post(
        &dify,
        app,
        &format!("/v1/workflows/tasks/{task}/stop"),
        &json!({"user": "somebody-else"}),
    )
    .await;
    assert_eq!(stop.text().await, "{\"result\": \"success\"}\n");
    let end = until(&mut run, "workflow_finished").await;
    assert_eq!(end["data"]["status"], "failed");
    assert_eq!(end["data"]["error"], "Aborted: User requested stop");
    let seen = dify
        .wait_until(|seen| seen.stops.len() == 1, SOON)
        .await
        .unwrap();
    assert_eq!(
        (&seen.stops[0].task_id, seen.stops[0].effective),
        (&task, true)
    );
}

#[tokio::test]
async fn a_chat_stops_only_for_the_user_who_began_it() {
    let dify = StandIn::start(Options::instant()).await.unwrap();
    for app in [
        SampleApp::TravelChat,
        SampleApp::WordCounter,
        SampleApp::SupportDesk,
    ] {
        let slow = Behaviour::Slow {
            steps: 1_000_000,
            each: Duration::from_millis(1),
        };
        dify.set(app, slow);
        let mut run = chat(&dify, app).await;
        let task = run.event().await.unwrap()["task_id"]
            .as_str()
            .unwrap()
            .to_owned();
        let path = format!("/v1/chat-messages/{task}/stop");
        post(&dify, app, &path, &json!({"user": "u2"})).await;
        assert!(
            run.event().await.is_some(),
            "another user's stop says success and does nothing"
        );
        post(&dify, app, &path, &json!({"user": "u1"})).await;
        let end = if app == SampleApp::SupportDesk {
            "workflow_finished"
        } else {
            "message_end"
        };
        until(&mut run, end).await;
        assert!(run.event().await.is_none());
        let effective: Vec<_> = dify
            .seen()
            .stops
            .iter()
            .rev()
            .take(2)
            .map(|stop| stop.effective)
            .collect();
        assert_eq!(effective, [true, false]);
    }
}

#[tokio::test]
async fn pings_keep_a_slow_flow_alive() {
    let options = Options {
        ping_every: Duration::from_millis(5),
        ..Options::instant()
    };
    let dify = StandIn::start(options).await.unwrap();
    dify.set(SampleApp::WeeklyReport, ENDLESS);
    let mut run = report(&dify).await;
    let mut pings = 0;
    while pings < 3 {
        pings += usize::from(run.chunk().await.unwrap() == "event: ping\n\n");
    }
}

#[tokio::test]
async fn a_flow_ends_its_stream_late_and_a_chat_at_once() {
    let options = Options {
        eof_lag: Duration::from_secs(3_600),
        ..Options::instant()
    };
    let dify = StandIn::start(options).await.unwrap();
    chat(&dify, SampleApp::TravelChat).await.events().await;
    let mut run = report(&dify).await;
    until(&mut run, "workflow_finished").await;
    assert!(
        tokio::time::timeout(Duration::from_millis(50), run.chunk())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_connection_too_many_waits_unaccepted() {
    let options = Options {
        connections: 2,
        ..Options::instant()
    };
    let dify = StandIn::start(options).await.unwrap();
    dify.set(SampleApp::WeeklyReport, Behaviour::SilentAfterPing);
    let (first, second) = (report(&dify).await, report(&dify).await);
    let waiting = Client::connect(&dify).await.unwrap();
    let info = request(
        &dify,
        SampleApp::TravelChat,
        "GET",
        "/v1/info",
        &Value::Null,
    );
    let mut answer = std::pin::pin!(waiting.send(info));
    assert!(
        tokio::time::timeout(Duration::from_millis(50), answer.as_mut())
            .await
            .is_err()
    );
    assert_eq!(dify.seen().open, 2);
    drop(first);
    assert_eq!(answer.await.unwrap().status, 200);
    assert_eq!(dify.seen().most_open, 2);
    drop(second);
}

#[tokio::test]
async fn down_refuses_connections_and_up_takes_them_again() {
    let dify = StandIn::start(Options::instant()).await.unwrap();
    dify.set(SampleApp::WeeklyReport, ENDLESS);
    let run = report(&dify).await;
    dify.down().await;
    assert!(Client::connect(&dify).await.is_err());
    assert_eq!(dify.seen().open, 0);
    drop(run);
    dify.up().await.unwrap();
    assert_eq!(
        get(&dify, SampleApp::TravelChat, "/v1/info").await.status,
        200
    );
}

#[tokio::test]
async fn canned_chunks_arrive_byte_for_byte() {
    let dify = StandIn::start(Options::instant()).await.unwrap();
    let chunks = ["event: ping\n\n", "data: {\"event\":\"new\"", "}\n\n"];
    dify.set(
        SampleApp::WeeklyReport,
        Behaviour::Canned(Canned::events(chunks)),
    );
    assert_eq!(report(&dify).await.text().await, chunks.concat());
}

#[tokio::test]
async fn requests_are_seen_with_user_and_body() {
    let dify = StandIn::start(Options::instant()).await.unwrap();
    report(&dify).await.events().await;
    let seen = dify.seen();
    assert_eq!(
        (seen.request_count, seen.calls("/v1/workflows/run")),
        (1, 1)
    );
    assert_eq!(seen.requests[0].app, Some(SampleApp::WeeklyReport));
    assert_eq!(seen.requests[0].user.as_deref(), Some("u1"));
    assert_eq!(seen.requests[0].body["inputs"]["title"], "T");
}
