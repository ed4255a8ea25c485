//! How many requests Dify gets at once, and which connections it keeps.

use std::time::Duration;

use airlock_dify::{App, Config, Dify, Error, Run};
use serde_json::json;

use crate::recording::Recording;
use crate::server::{Server, Then, eventually, json as json_reply, stream};

async fn dify() -> Server {
    Server::start(|asked| match asked.path.as_str() {
        "/v1/info" => json_reply("200 OK", r#"{"name": "A", "mode": "chat"}"#),
        "/v1/chat-messages" => stream(
            &[json!({"event": "message", "task_id": "t1", "answer": "Hm"})],
            Then::Hold,
        ),
        _ => json_reply("200 OK", "{}"),
    })
    .await
}

async fn start(app: &App) -> Result<Run, Error> {
    app.run(Recording::read("llm-chat-streaming").run("chat"))
        .await
}

fn runs(server: &Server) -> usize {
    server
        .asked()
        .iter()
        .filter(|asked| asked.path == "/v1/chat-messages")
        .count()
}

#[tokio::test]
async fn an_app_has_its_share_and_leaves_the_rest_to_others() {
    let server = dify().await;
    let config = Config {
        in_flight: 3,
        per_app: 2,
        queue_wait: Duration::from_millis(100),
        ..server.config()
    };
    let dify = Dify::new(config).unwrap();
    let one = dify.app("app-one".parse().unwrap());
    let _held = [start(&one).await.unwrap(), start(&one).await.unwrap()];
    let same_key = dify.app("app-one".parse().unwrap());
    let refused = start(&same_key).await.unwrap_err();
    assert!(
        matches!(refused, Error::QueueFull { .. }) && refused.retry_after().is_some(),
        "{refused:?}"
    );
    let two = dify.app("app-two".parse().unwrap());
    let _other = start(&two).await.unwrap();
    assert!(
        matches!(two.facts().await, Err(Error::QueueFull { .. })),
        "a read takes a slot too"
    );
    assert_eq!(runs(&server), 3, "who is refused never reaches Dify");
}

#[tokio::test]
async fn who_waits_gets_the_slot_of_a_run_that_was_left() {
    let server = dify().await;
    let app = server.app_with(Config {
        in_flight: 1,
        ..server.config()
    });
    let held = start(&app).await.unwrap();
    let waiting = tokio::spawn({
        let app = app.clone();
        async move { start(&app).await.map(drop) }
    });
    tokio::task::yield_now().await;
    assert_eq!(runs(&server), 1);
    drop(held);
    waiting.await.unwrap().unwrap();
    let order: Vec<String> = server.asked().into_iter().map(|asked| asked.path).collect();
    assert_eq!(
        order[..3],
        [
            "/v1/chat-messages",
            "/v1/chat-messages/t1/stop",
            "/v1/chat-messages"
        ],
        "the stop comes first"
    );
}

#[tokio::test]
async fn few_connections_stay_idle_and_not_for_long() {
    let server = dify().await;
    let app = server.app_with(Config {
        in_flight: 5,
        ..server.config()
    });
    let reads: Vec<_> = (0..5)
        .map(|_| {
            let app = app.clone();
            tokio::spawn(async move { app.facts().await.unwrap() })
        })
        .collect();
    for read in reads {
        read.await.unwrap();
    }
    assert!(server.peak() <= 5);
    eventually("the surplus to close", || server.open() <= 2).await;
    eventually("the rest to close", || server.open() == 0).await;
}

#[tokio::test]
async fn a_stream_tells_dify_that_its_connection_is_not_used_again() {
    let server = dify().await;
    let _run = start(&server.app()).await.unwrap();
    assert!(
        server.asked()[0]
            .head
            .to_lowercase()
            .contains("connection: close")
    );
}

#[tokio::test]
async fn inputs_that_do_not_fit_never_reach_dify() {
    let server = dify().await;
    let mut request = Recording::read("wf-types-streaming").run("workflow");
    request
        .inputs
        .insert("count".to_owned(), json!({"not": "a number"}));
    let error = server.app().run(request).await.unwrap_err();
    assert!(
        matches!(&error, Error::InvalidInputs(faults) if faults.len() == 1),
        "{error:?}"
    );
    assert!(error.caller().contains("count"), "{error}");
    let mut silent = Recording::read("llm-chat-streaming").run("chat");
    silent.query = Some(String::new());
    assert!(matches!(
        server.app().run(silent).await,
        Err(Error::MissingQuery)
    ));
    assert!(server.asked().is_empty());
}
