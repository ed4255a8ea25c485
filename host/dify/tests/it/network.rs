//! A network that fails, and a server that is not Dify.

use std::time::Duration;

use airlock_dify::{Bound, Config, Error, Wait};
use serde_json::json;

use crate::recording::Recording;
use crate::server::{Reply, Server, Then, json as json_reply, stream};

fn raw(text: &str, then: Then) -> Reply {
    Reply {
        bytes: text.as_bytes().to_vec(),
        cut: usize::MAX,
        then,
    }
}

fn request() -> airlock_dify::RunRequest {
    Recording::read("wf-run-streaming").run("workflow")
}

#[tokio::test]
async fn a_redirect_is_not_followed_but_named_to_the_operator() {
    let server = Server::start(|asked| {
        assert!(asked.path.starts_with("/v1"), "the redirect was followed");
        raw(
            "HTTP/1.1 308 Moved\r\nLocation: https://login.example/\r\nContent-Length: 0\r\n\r\n",
            Then::Keep,
        )
    })
    .await;
    for error in [
        server.app().facts().await.unwrap_err(),
        server.app().run(request()).await.unwrap_err(),
    ] {
        assert!(matches!(error, Error::NotDify { .. }));
        assert!(
            error.operator().contains("https://login.example/")
                && !error.caller().contains("login")
        );
    }
}

#[tokio::test]
async fn web_pages_are_not_dify() {
    let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>";
    let server = Server::start(move |_| raw(page, Then::Keep)).await;
    assert!(matches!(
        server.app().facts().await,
        Err(Error::NotDify { .. })
    ));
    assert!(matches!(
        server.app().run(request()).await,
        Err(Error::NotDify { .. })
    ));
}

#[tokio::test]
async fn nobody_at_the_address_is_unreachable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base =
        airlock_dify::parse_base(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let app = airlock_dify::Dify::new(Config::new(base))
        .unwrap()
        .app("app-test".parse().unwrap());
    for error in [
        app.facts().await.unwrap_err(),
        app.run(request()).await.unwrap_err(),
    ] {
        assert!(
            matches!(error, Error::Unreachable { .. }) && error.retryable(),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_read_is_tried_again_once_and_a_run_never() {
    let server = Server::start(|_| raw("", Then::Close)).await;
    assert!(matches!(
        server.app().facts().await,
        Err(Error::Unreachable { .. })
    ));
    assert_eq!(server.asked().len(), 2);
    let error = server.app().run(request()).await.unwrap_err();
    assert!(
        matches!(error, Error::Incomplete { .. }),
        "it may have run: {error:?}"
    );
    assert_eq!(
        server
            .asked()
            .iter()
            .filter(|asked| asked.path.ends_with("/run"))
            .count(),
        1
    );
}

#[tokio::test]
async fn a_read_that_is_not_answered_ends_at_its_bound() {
    let server = Server::start(|_| raw("", Then::Hold)).await;
    let app = server.app_with(Config {
        read_timeout: Duration::from_millis(100),
        ..server.config()
    });
    assert!(matches!(
        app.facts().await,
        Err(Error::Timeout {
            wait: Wait::Read,
            ..
        })
    ));
}

#[tokio::test]
async fn what_is_over_its_bound_is_refused_and_the_run_stopped() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/v1/info" => json_reply("200 OK", &format!(r#"{{"name": "{}"}}"#, "x".repeat(5000))),
        "/v1/workflows/run" => {
            let named =
                json!({"event": "workflow_started", "task_id": "t1", "workflow_run_id": "r1"});
            stream(
                &[
                    named,
                    json!({"event": "text_chunk", "data": {"text": "x".repeat(5000)}}),
                ],
                Then::Hold,
            )
        }
        _ => json_reply("200 OK", r#"{"result": "success"}"#),
    })
    .await;
    let app = server.app_with(Config {
        event_cap: 4096,
        ..server.config()
    });
    assert!(matches!(
        app.facts().await,
        Err(Error::TooLarge {
            bound: Bound::Body,
            limit: 4096
        })
    ));
    let error = app
        .run(request())
        .await
        .unwrap()
        .finish()
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::TooLarge {
                bound: Bound::Event,
                limit: 4096
            }
        ),
        "{error:?}"
    );
    server
        .wait_for(|asked| asked.path == "/v1/workflows/tasks/t1/stop")
        .await;
}

#[tokio::test]
async fn a_large_workflow_passes_whole() {
    // The shape of `wf-big-streaming`, which was cut when it was recorded: 260,000 characters echoed in every node.
    let text = "line of text ".repeat(20_000);
    let node = json!({"event": "node_finished", "workflow_run_id": "r", "data": {"node_id": "n", "inputs": {"q": text}, "outputs": {"q": text}}});
    let end = json!({"event": "workflow_finished", "task_id": "t", "workflow_run_id": "r", "data": {"status": "succeeded", "outputs": {"q": text}}});
    let server =
        Server::start(move |_| stream(&[node.clone(), node.clone(), end.clone()], Then::Hold))
            .await;
    let answer = server
        .app()
        .run(request())
        .await
        .unwrap()
        .finish()
        .await
        .unwrap();
    assert_eq!(answer.outputs["q"].as_str().unwrap().len(), 260_000);
}
