//! Leaving a run before its end: it must stop in Dify too.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use airlock_dify::{Error, Event};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::recording::Recording;
use crate::server::{Asked, Reply, Server, Then, eventually, json as json_reply, sse, stream};

const RUNS: [(&str, &str, &str); 4] = [
    (
        "wf-run-streaming",
        "workflow",
        "/v1/workflows/tasks/t1/stop",
    ),
    (
        "chat-streaming-1",
        "advanced-chat",
        "/v1/chat-messages/t1/stop",
    ),
    (
        "llm-agent-streaming",
        "agent-chat",
        "/v1/chat-messages/t1/stop",
    ),
    (
        "llm-completion-streaming",
        "completion",
        "/v1/completion-messages/t1/stop",
    ),
];

fn named() -> Value {
    json!({"event": "message", "task_id": "t1", "answer": "Hm"})
}

fn stops(asked: &Asked) -> bool {
    asked.path.ends_with("/stop")
}

async fn dify(run: impl Fn() -> Reply + Send + Sync + 'static) -> Server {
    Server::start(move |asked| {
        if stops(asked) {
            json_reply("200 OK", r#"{"result": "success"}"#)
        } else {
            run()
        }
    })
    .await
}

#[tokio::test]
async fn a_dropped_run_is_stopped_at_the_door_of_its_mode_by_the_same_user() {
    for (name, mode, path) in RUNS {
        let server = dify(|| stream(&[named()], Then::Hold)).await;
        let mut run = server
            .app()
            .run(Recording::read(name).run(mode))
            .await
            .unwrap();
        assert!(matches!(run.next().await, Ok(Some(Event::Started))));
        drop(run);
        let stop = server.wait_for(stops).await;
        assert_eq!(
            (stop.path.as_str(), stop.body),
            (path, json!({"user": "u1"})),
            "{name}"
        );
        eventually("the connection's end", || server.open() <= 1).await;
    }
}

#[tokio::test]
async fn a_run_dropped_before_it_has_a_name_is_stopped_when_it_gets_one() {
    let gate = Arc::new(Notify::new());
    let server = dify({
        let gate = gate.clone();
        move || stream(&[], Then::Later(gate.clone(), sse(&[named()])))
    })
    .await;
    let run = server
        .app()
        .run(Recording::read("wf-run-streaming").run("workflow"))
        .await
        .unwrap();
    assert_eq!(run.task_id(), None);
    drop(run);
    gate.notify_one();
    server.wait_for(stops).await;
}

#[tokio::test]
async fn a_call_given_up_before_the_head_is_answered_is_stopped_too() {
    let gate = Arc::new(Notify::new());
    let server = dify({
        let gate = gate.clone();
        let whole = stream(&[named()], Then::Hold).bytes;
        move || Reply {
            bytes: Vec::new(),
            cut: 1,
            then: Then::Later(gate.clone(), whole.clone()),
        }
    })
    .await;
    let app = server.app();
    let call = tokio::spawn(async move {
        app.run(Recording::read("llm-chat-streaming").run("chat"))
            .await
    });
    server
        .wait_for(|asked| asked.path == "/v1/chat-messages")
        .await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    gate.notify_one();
    server.wait_for(stops).await;
}

#[tokio::test]
async fn a_stop_that_was_given_up_is_sent_when_its_run_is_dropped() {
    let server = dify(|| stream(&[named()], Then::Hold)).await;
    let mut run = server
        .app()
        .run(Recording::read("llm-chat-streaming").run("chat"))
        .await
        .unwrap();
    assert!(matches!(run.next().await, Ok(Some(Event::Started))));
    {
        let mut stop = pin!(run.stop());
        // Its connection is not there yet, and nothing was sent.
        poll_fn(|context| {
            assert!(stop.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
    }
    drop(run);
    server.wait_for(stops).await;
}

#[tokio::test]
async fn a_run_that_has_ended_is_left_alone() {
    let server = dify(|| {
        stream(
            &[named(), json!({"event": "message_end", "task_id": "t1"})],
            Then::Hold,
        )
    })
    .await;
    let mut run = server
        .app()
        .run(Recording::read("llm-chat-streaming").run("chat"))
        .await
        .unwrap();
    while run.next().await.unwrap().is_some() {}
    drop(run);
    // A run that is not over makes the stop that would show a stop of the first one, too.
    let server_of_second = dify(|| stream(&[named()], Then::Hold)).await;
    let mut second = server_of_second
        .app()
        .run(Recording::read("llm-chat-streaming").run("chat"))
        .await
        .unwrap();
    second.next().await.unwrap();
    drop(second);
    server_of_second.wait_for(stops).await;
    assert!(!server.asked().iter().any(stops));
}

#[tokio::test]
async fn stop_is_sent_once_and_the_run_tells_how_it_ended() {
    let gate = Arc::new(Notify::new());
    let server = dify({
        let gate = gate.clone();
        move || {
            let started = json!({"event": "workflow_started", "task_id": "t1", "workflow_run_id": "r1"});
            let data = json!({"status": "failed", "error": "Aborted: User requested stop", "outputs": {}});
            let end = json!({"event": "workflow_finished", "task_id": "t1", "workflow_run_id": "r1", "data": data});
            stream(&[started], Then::Later(gate.clone(), sse(&[end])))
        }
    })
    .await;
    let mut run = server
        .app()
        .run(Recording::read("wf-run-streaming").run("workflow"))
        .await
        .unwrap();
    // Its name is not known yet: the stop waits for it.
    run.stop().await;
    assert!(!server.asked().iter().any(stops));
    assert!(matches!(run.next().await, Ok(Some(Event::Started))));
    run.stop().await;
    gate.notify_one();
    assert!(matches!(run.next().await, Err(Error::Stopped { .. })));
    assert!(
        matches!(run.next().await, Ok(None)),
        "nothing comes after the end"
    );
    assert_eq!(
        server.asked().iter().filter(|asked| stops(asked)).count(),
        1
    );
}

#[tokio::test]
async fn waiting_for_an_event_may_be_given_up_and_taken_up_again() {
    let gate = Arc::new(Notify::new());
    let server = dify({
        let gate = gate.clone();
        move || {
            stream(
                &[named()],
                Then::Later(
                    gate.clone(),
                    sse(&[json!({"event": "message_end", "task_id": "t1"})]),
                ),
            )
        }
    })
    .await;
    let mut run = server
        .app()
        .run(Recording::read("llm-chat-streaming").run("chat"))
        .await
        .unwrap();
    while tokio::time::timeout(Duration::from_millis(100), run.next())
        .await
        .is_ok()
    {}
    gate.notify_one();
    assert!(matches!(run.next().await, Ok(Some(Event::Done(answer))) if answer.text == "Hm"));
}
