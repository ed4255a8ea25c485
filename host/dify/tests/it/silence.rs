//! Streams that end too early, too late, or not at all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use airlock_dify::{Config, Error, RunRequest, Wait};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::recording::Recording;
use crate::server::{Server, Then, eventually, json as json_reply, stream};

fn workflow() -> RunRequest {
    Recording::read("wf-run-streaming").run("workflow")
}

fn started() -> Value {
    json!({"event": "workflow_started", "task_id": "t1", "workflow_run_id": "r1"})
}

#[tokio::test]
async fn the_last_event_is_answered_and_the_connection_closed_without_waiting_for_the_end_of_the_stream()
 {
    for (name, mode) in [
        ("wf-run-streaming", "workflow"),
        ("llm-chat-streaming", "chat"),
        ("mod-cf_mod-input-streaming", "advanced-chat"),
    ] {
        let server = Server::start(move |_| {
            let mut reply = Recording::read(name).reply(usize::MAX);
            if reply.bytes.ends_with(b"0\r\n\r\n") {
                reply.bytes.truncate(reply.bytes.len() - 5);
            }
            reply.then = Then::Hold;
            reply
        })
        .await;
        let app = server.app();
        let mut run = app.run(Recording::read(name).run(mode)).await.unwrap();
        while run.next().await.unwrap().is_some() {}
        eventually("the connection's end", || server.open() == 0).await;
        assert!(
            run.task_id().is_some(),
            "{name}: the name of an ended run is still known"
        );
        assert_eq!(
            server.asked().len(),
            1,
            "{name}: a run that has ended is not stopped"
        );
    }
}

#[tokio::test]
async fn an_early_error_ends_a_run_at_once_though_the_server_stays_silent() {
    for name in [
        "err-missing-required-stream",
        "err-wf-no-provider-streaming",
    ] {
        let server = Server::start(move |_| Recording::read(name).reply(usize::MAX)).await;
        let before = Instant::now();
        let app = server.app();
        app.run(workflow())
            .await
            .unwrap()
            .finish()
            .await
            .unwrap_err();
        assert!(before.elapsed() < Duration::from_secs(30), "{name}");
        eventually("the connection's end", || server.open() == 0).await;
        assert_eq!(server.asked().len(), 1, "{name}: there is nothing to stop");
    }
}

#[tokio::test]
async fn a_stream_cut_short_is_answered_from_the_state_of_the_run() {
    for (then, idle) in [(|| Then::Close) as fn() -> Then, || Then::Hold]
        .into_iter()
        .zip([60_000, 100])
    {
        let server = Server::start(move |asked| match asked.path.as_str() {
            "/v1/workflows/run" => stream(&[started()], then()),
            "/v1/workflows/run/r1" => Recording::read("wf-run-detail").reply(50),
            other => panic!("{other} was asked"),
        })
        .await;
        let app = server.app_with(Config {
            idle_flow: Duration::from_millis(idle),
            ..server.config()
        });
        let answer = app.run(workflow()).await.unwrap().finish().await.unwrap();
        assert_eq!(answer.outputs["status"], 200);
    }
}

#[tokio::test]
async fn a_stream_cut_short_whose_run_goes_on_is_incomplete_and_stopped() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/v1/workflows/run" => stream(&[started()], Then::Close),
        "/v1/workflows/run/r1" => json_reply("200 OK", r#"{"status": "running", "outputs": null}"#),
        _ => json_reply("200 OK", r#"{"result": "success"}"#),
    })
    .await;
    let error = server
        .app()
        .run(workflow())
        .await
        .unwrap()
        .finish()
        .await
        .unwrap_err();
    assert!(
        matches!(&error, Error::Incomplete { ids, .. } if ids.run.as_deref() == Some("r1")),
        "{error:?}"
    );
    assert!(error.operator().contains("(task t1) (run r1)") && !error.caller().contains("t1"));
    server
        .wait_for(|asked| asked.path == "/v1/workflows/tasks/t1/stop")
        .await;
}

#[tokio::test]
async fn a_chat_stream_cut_short_is_incomplete() {
    let words = json!({"event": "message", "task_id": "t1", "answer": "Half of"});
    let server = Server::start(move |_| stream(std::slice::from_ref(&words), Then::Close)).await;
    let run = server
        .app()
        .run(Recording::read("llm-chat-streaming").run("chat"))
        .await
        .unwrap();
    assert!(matches!(run.finish().await, Err(Error::Incomplete { .. })));
    assert!(
        !server.asked().iter().any(|asked| asked.method == "GET"),
        "a chat has no run to look up"
    );
}

#[tokio::test]
async fn an_event_without_its_blank_line_at_the_end_of_the_stream_counts() {
    let server = Server::start(|_| {
        let end = json!({"event": "message_end", "task_id": "t1", "conversation_id": "c1"});
        let mut reply = stream(&[end], Then::Close);
        reply.bytes.truncate(reply.bytes.len() - 2);
        reply
    })
    .await;
    let run = server
        .app()
        .run(Recording::read("llm-chat-streaming").run("chat"))
        .await
        .unwrap();
    assert_eq!(
        run.finish().await.unwrap().conversation.as_deref(),
        Some("c1")
    );
}

#[tokio::test]
async fn silence_ends_a_run_at_its_bound_and_stops_it() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/v1/workflows/run" => stream(&[started()], Then::Hold),
        "/v1/workflows/run/r1" => json_reply("200 OK", r#"{"status": "running"}"#),
        _ => json_reply("200 OK", r#"{"result": "success"}"#),
    })
    .await;
    let error = server
        .app_with(server.impatient())
        .run(workflow())
        .await
        .unwrap()
        .finish()
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Timeout {
                wait: Wait::Stream,
                ..
            }
        ),
        "{error:?}"
    );
    server
        .wait_for(|asked| asked.path == "/v1/workflows/tasks/t1/stop")
        .await;
}

#[tokio::test]
async fn a_head_that_never_comes_ends_at_the_same_bound() {
    let server = Server::start(|_| crate::server::Reply {
        bytes: Vec::new(),
        cut: 1,
        then: Then::Hold,
    })
    .await;
    let error = server
        .app_with(server.impatient())
        .run(workflow())
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Timeout {
                wait: Wait::Stream,
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn pings_keep_a_quiet_run_alive_past_the_bound() {
    let gate = Arc::new(Notify::new());
    let server = Server::start({
        let gate = gate.clone();
        move |asked| match asked.path.as_str() {
            "/v1/workflows/run" => stream(
                &[started()],
                Then::Repeat(b"event: ping\n\n", Duration::from_millis(50)),
            ),
            _ => {
                gate.notify_one();
                json_reply("200 OK", "{}")
            }
        }
    })
    .await;
    let mut run = server
        .app_with(server.impatient())
        .run(workflow())
        .await
        .unwrap();
    assert!(run.next().await.unwrap().is_some());
    let quiet = tokio::time::timeout(Duration::from_millis(1500), run.next()).await;
    assert!(
        quiet.is_err(),
        "three times the bound and still alive, but {quiet:?}"
    );
    drop(run);
    gate.notified().await;
}
