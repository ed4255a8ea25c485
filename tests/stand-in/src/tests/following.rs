//! Runs that go on without their reader, and those who follow them.

use std::time::Duration;

use serde_json::{Value, json};

use super::SOON;
use super::client::{Reply, get, post};
use crate::{Behaviour, Options, SampleApp, StandIn};

/// Begins a run of three tenths of a second, and leaves it once it is named.
async fn left(dify: &StandIn, app: SampleApp) -> Value {
    let slow = Behaviour::Slow {
        steps: 3,
        each: Duration::from_millis(100),
    };
    dify.set(app, slow);
    let (path, body) = match app {
        SampleApp::WeeklyReport => (
            "/v1/workflows/run",
            json!({"inputs": {"title": "W", "audience": "team"}, "response_mode": "streaming", "user": "u1"}),
        ),
        _ => (
            "/v1/chat-messages",
            json!({"inputs": {}, "query": "Well?", "response_mode": "streaming", "user": "u1"}),
        ),
    };
    let mut reply = post(dify, app, path, &body).await;
    reply.event().await.expect("workflow_started")
}

async fn events(dify: &StandIn, app: SampleApp, run: &Value, user: &str) -> Reply {
    let run = run["workflow_run_id"].as_str().expect("a flow's run");
    get(dify, app, &format!("/v1/workflow/{run}/events?user={user}")).await
}

#[tokio::test]
async fn a_run_goes_on_without_its_reader_and_its_rest_is_streamed_to_one_who_follows() {
    let dify = StandIn::start(Options::instant()).await.unwrap();
    for app in [SampleApp::WeeklyReport, SampleApp::SupportDesk] {
        let run = left(&dify, app).await;
        let rest = events(&dify, app, &run, "u1").await;
        assert_eq!(rest.status, 200);
        let rest = rest.events().await;
        let names: Vec<_> = rest
            .iter()
            .filter_map(|event| event["event"].as_str())
            .collect();
        assert_eq!(names.last(), Some(&"workflow_finished"), "{names:?}");
        assert!(
            names.contains(&"node_finished") && !names.contains(&"workflow_started"),
            "{names:?}"
        );
        assert!(rest.iter().all(|event| event["task_id"] == run["task_id"]));
        let outputs = &rest.last().unwrap()["data"]["outputs"];
        assert!(
            outputs
                .to_string()
                .contains(if app == SampleApp::WeeklyReport {
                    "W"
                } else {
                    "Well?"
                })
        );
    }
}

#[tokio::test]
async fn one_who_comes_late_hears_how_it_ended() {
    let dify = StandIn::start(Options::instant()).await.unwrap();
    let run = left(&dify, SampleApp::WeeklyReport).await;
    dify.wait_until(|seen| seen.running == 0, SOON)
        .await
        .unwrap();
    let mut rest = events(&dify, SampleApp::WeeklyReport, &run, "u1").await;
    assert_eq!(rest.chunk().await.as_deref(), Some("event: ping\n\n"));
    let end = rest.event().await.unwrap();
    assert_eq!(
        (&end["event"], &end["data"]["status"]),
        (&json!("workflow_finished"), &json!("succeeded"))
    );
    assert_eq!(rest.event().await, None);
}

#[tokio::test]
async fn a_paused_run_says_nothing_to_one_who_follows() {
    let options = Options {
        ping_every: Duration::from_millis(20),
        ..Options::instant()
    };
    let dify = StandIn::start(options).await.unwrap();
    dify.set(SampleApp::WeeklyReport, Behaviour::Pause);
    let body = json!({"inputs": {"title": "W", "audience": "team"}, "response_mode": "streaming", "user": "u1"});
    let mut run = post(&dify, SampleApp::WeeklyReport, "/v1/workflows/run", &body).await;
    let started = run.event().await.unwrap();
    dify.wait_until(|seen| seen.running == 0, SOON)
        .await
        .unwrap();
    let mut rest = events(&dify, SampleApp::WeeklyReport, &started, "u1").await;
    for _ in 0..3 {
        assert_eq!(rest.chunk().await.as_deref(), Some("event: ping\n\n"));
    }
}

#[tokio::test]
async fn a_run_is_followed_by_its_own_user_at_a_dify_that_has_the_door() {
    let dify = StandIn::start(Options::instant()).await.unwrap();
    let run = left(&dify, SampleApp::WeeklyReport).await;
    for (app, user) in [
        (SampleApp::WeeklyReport, "u2"),
        (SampleApp::SupportDesk, "u1"),
    ] {
        let reply = events(&dify, app, &run, user).await;
        assert_eq!(reply.status, 404);
        assert_eq!(reply.json().await["message"], "Workflow run not found");
    }
    let old = Options {
        events: false,
        ..Options::instant()
    };
    let dify = StandIn::start(old).await.unwrap();
    let run = left(&dify, SampleApp::WeeklyReport).await;
    let reply = events(&dify, SampleApp::WeeklyReport, &run, "u1").await;
    assert_eq!(
        (reply.status.as_u16(), &reply.headers["content-type"]),
        (404, &"text/html; charset=utf-8".parse().unwrap())
    );
}
