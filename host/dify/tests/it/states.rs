//! How a run stands, and how it is stopped: recorded answers, served where the client asks.

use airlock_dify::Error;
use serde_json::json;

use crate::recording::Recording;
use crate::server::{Server, Then, stream};

/// What a workflow's run came to whose stream broke off, by the recorded answer to the question how it stands: the
/// answer's status or the error's code, and an output that it must have.
#[rustfmt::skip]
const DETAILS: &[(&str, &str, &str)] = &[
    ("err-run-detail-unknown", "incomplete", ""),
    ("human-run-detail", "succeeded", "note"),
    ("human4-run-detail", "succeeded", ""),
    ("human4-run-detail-paused", "paused", ""),
    ("human4-run-detail-paused-stopped", "paused", ""),
    ("human4-timeout-run", "succeeded", ""),
    ("wf-run-detail", "succeeded", "status"),
];

/// Answers to a stop. Whatever they say, the run ends as its stream tells.
#[rustfmt::skip]
const STOPS: &[&str] = &[
    "err-stop-no-user", "err-stop-wrong-mode", "err-stop-wrong-mode-chat", "err-stop-wrong-mode-completion",
    "human4-stop-paused", "stop-chat", "stop-iteration", "stop-unknown-task", "stop-workflow", "stop-workflow-other-user",
];

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    DETAILS
        .iter()
        .map(|(name, ..)| *name)
        .chain(STOPS.iter().copied())
}

#[tokio::test]
async fn a_stream_that_broke_off_comes_to_what_the_run_says_of_itself() {
    for &(name, outcome, output) in DETAILS {
        let server = Server::start(move |asked| match asked.path.as_str() {
            "/v1/workflows/run" => stream(
                &[json!({"event": "workflow_started", "task_id": "t1", "workflow_run_id": "r1"})],
                Then::Close,
            ),
            _ => Recording::read(name).reply(50),
        })
        .await;
        let request = Recording::read("wf-run-streaming").run("workflow");
        match server.app().run(request).await.unwrap().finish().await {
            Ok(answer) => {
                assert_eq!(answer.status.as_str(), outcome, "{name}");
                assert!(
                    output.is_empty() || answer.outputs.contains_key(output),
                    "{name}: {:?}",
                    answer.outputs
                );
            }
            Err(error) => assert_eq!(error.code(), outcome, "{name}: {error:?}"),
        }
        let asked = server.asked();
        assert!(
            asked
                .iter()
                .any(|asked| asked.path == "/v1/workflows/run/r1"),
            "{name}"
        );
    }
}

#[tokio::test]
async fn whatever_dify_answers_to_a_stop_the_run_ends_as_its_stream_tells() {
    for name in STOPS {
        let stopped = std::sync::Arc::new(tokio::sync::Notify::new());
        let server = Server::start({
            let stopped = stopped.clone();
            move |asked| match asked.path.as_str() {
                "/v1/workflows/run" => stream(
                    &[json!({"event": "workflow_started", "task_id": "t1", "workflow_run_id": "r1"})],
                    Then::Later(stopped.clone(), crate::server::sse(&[json!({
                        "event": "workflow_finished",
                        "data": {"status": "failed", "error": "Aborted: User requested stop"},
                    })])),
                ),
                _ => Recording::read(name).reply(50),
            }
        })
        .await;
        let request = Recording::read("wf-run-streaming").run("workflow");
        let mut run = server.app().run(request).await.unwrap();
        run.next().await.unwrap();
        run.stop().await;
        stopped.notify_one();
        assert!(
            matches!(run.finish().await, Err(Error::Stopped { .. })),
            "{name}"
        );
        let stops = server.asked();
        let stops = stops
            .iter()
            .filter(|asked| asked.path == "/v1/workflows/tasks/t1/stop");
        assert_eq!(stops.count(), 1, "{name}");
    }
}
