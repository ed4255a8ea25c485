//! Runs that wait for a person, and go on with the answer.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::{get, post};
use crate::{Behaviour, Options, SampleApp, StandIn};

const APP: SampleApp = SampleApp::SupportDesk;

/// A chatflow that waits: its run and the path of its form.
async fn waiting(dify: &StandIn, open_for: Duration) -> (String, String) {
    dify.set(APP, Behaviour::Ask { times: 1, open_for });
    let body = json!({"inputs": {}, "query": "Well?", "response_mode": "streaming", "user": "u1"});
    let events = post(dify, APP, "/v1/chat-messages", &body)
        .await
        .events()
        .await;
    let pause = events.last().unwrap();
    assert_eq!(pause["event"], "workflow_paused");
    let token = pause["data"]["reasons"][0]["form_token"].as_str().unwrap();
    let run = pause["workflow_run_id"].as_str().unwrap();
    (run.to_owned(), format!("/v1/form/human_input/{token}"))
}

fn answer(action: &str, inputs: Value) -> Value {
    json!({"action": action, "inputs": inputs, "user": "u1"})
}

#[tokio::test]
async fn an_answered_run_is_told_to_one_who_followed_before_and_says_its_text_in_the_outputs() {
    let dify = StandIn::start(Options::instant()).await.unwrap();
    let (run, form) = waiting(&dify, Duration::from_secs(60)).await;
    assert_eq!(dify.seen().running, 0, "what waits cannot be stopped");
    let rest = get(&dify, APP, &format!("/v1/workflow/{run}/events?user=u1")).await;
    let good = answer("approve", json!({"note": "n", "level": "low"}));
    assert_eq!(post(&dify, APP, &form, &good).await.status, 200);
    let rest = rest.events().await;
    let names: Vec<_> = rest
        .iter()
        .filter_map(|event| event["event"].as_str())
        .collect();
    // As in `cf-human-events-early`: no text after the pause but in the outputs.
    assert_eq!(
        names[..4],
        [
            "workflow_started",
            "message",
            "node_started",
            "human_input_form_filled"
        ]
    );
    assert!(!names[4..].contains(&"message"), "{names:?}");
    assert_eq!(rest[0]["data"]["reason"], "resumption");
    let whole = rest.last().unwrap()["data"]["outputs"]["answer"]
        .as_str()
        .unwrap();
    assert!(
        whole.contains("You asked: Well?")
            && whole.contains("[approve: ")
            && whole.contains("Order unknown"),
        "{whole}"
    );
}

#[tokio::test]
async fn a_form_refuses_as_recorded() {
    let dify = StandIn::start(Options::instant()).await.unwrap();
    let (_, form) = waiting(&dify, Duration::from_secs(60)).await;
    let good = || answer("approve", json!({"note": "n", "level": "low"}));
    let refused = async |app: SampleApp, path: &str, body: Value| {
        let reply = post(&dify, app, path, &body).await;
        (
            reply.status.as_u16(),
            reply.json().await["code"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        )
    };
    let code = |status: u16, code: &str| (status, code.to_owned());
    for body in [
        answer("nosuch", json!({})),
        answer("approve", json!({"note": "n"})),
        answer("approve", json!({"note": "n", "level": "middle"})),
    ] {
        assert_eq!(
            refused(APP, &form, body).await,
            code(400, "invalid_form_data")
        );
    }
    assert_eq!(
        refused(SampleApp::WeeklyReport, &form, good()).await,
        code(404, "not_found")
    );
    assert_eq!(post(&dify, APP, &form, &good()).await.status, 200);
    assert_eq!(
        refused(APP, &form, good()).await,
        code(412, "human_input_form_submitted")
    );
    let (_, late) = waiting(&dify, Duration::ZERO).await;
    assert_eq!(
        refused(APP, &late, good()).await,
        code(412, "human_input_form_expired")
    );
}
