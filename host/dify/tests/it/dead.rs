//! A Dify that does not answer at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use airlock_dify::{App, Config, Error};
use serde_json::json;

use crate::recording::Recording;
use crate::server::{Reply, Server, Then, json as json_reply, stream};

async fn run(app: &App) -> Result<(), Error> {
    let request = Recording::read("wf-run-streaming").run("workflow");
    app.run(request).await?.finish().await.map(drop)
}

#[tokio::test]
async fn calls_to_a_dead_dify_fail_at_once_until_a_single_read_is_answered() {
    let alive = Arc::new(AtomicBool::new(false));
    let server = Server::start({
        let alive = alive.clone();
        move |asked| match asked.path.as_str() {
            _ if !alive.load(Ordering::SeqCst) => Reply {
                bytes: Vec::new(),
                cut: 1,
                then: Then::Hold,
            },
            // Dify is there, whatever it says.
            "/v1/info" => json_reply("401 NO", r#"{"code": "unauthorized", "message": "no", "status": 401}"#),
            _ => stream(
                &[json!({"event": "workflow_finished", "task_id": "t1", "data": {"status": "succeeded"}})],
                Then::Close,
            ),
        }
    })
    .await;
    let pause = Duration::from_millis(300);
    let app = server.app_with(Config {
        idle_flow: Duration::from_millis(50),
        read_timeout: Duration::from_millis(50),
        dead_after: 3,
        dead_pause: pause,
        ..server.config()
    });
    for _ in 0..3 {
        let error = run(&app).await.unwrap_err();
        assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    }
    let asked = server.asked().len();
    let began = Instant::now();
    let error = run(&app).await.unwrap_err();
    assert!(
        matches!(error, Error::Dead { .. }) && error.retryable(),
        "{error:?}"
    );
    assert!(matches!(app.facts().await, Err(Error::Dead { .. })));
    assert!(
        began.elapsed() < pause && server.asked().len() == asked,
        "nothing was sent"
    );

    tokio::time::sleep(pause).await;
    let error = run(&app).await.unwrap_err();
    assert!(
        !matches!(error, Error::Dead { .. }),
        "somebody tries again: {error:?}"
    );
    let reads = |server: &Server| {
        let asked = server.asked();
        asked
            .iter()
            .filter(|asked| asked.path == "/v1/info")
            .count()
    };
    assert_eq!(
        reads(&server),
        1,
        "with a read, since a run could run twice"
    );
    assert!(
        matches!(run(&app).await, Err(Error::Dead { .. })),
        "it is dead still"
    );

    alive.store(true, Ordering::SeqCst);
    tokio::time::sleep(pause).await;
    run(&app).await.unwrap();
    run(&app).await.unwrap();
    assert_eq!(reads(&server), 2);
}

#[tokio::test]
async fn what_dify_refuses_does_not_make_it_dead() {
    for (status, body) in [
        (
            "401 NO",
            r#"{"code": "unauthorized", "message": "no", "status": 401}"#,
        ),
        (
            "400 NO",
            r#"{"code": "invalid_param", "message": "no", "status": 400}"#,
        ),
        (
            "500 NO",
            r#"{"code": "unknown", "message": "no", "status": 500}"#,
        ),
    ] {
        let server = Server::start(move |_| json_reply(status, body)).await;
        let app = server.app();
        for _ in 0..8 {
            run(&app).await.unwrap_err();
        }
        assert_eq!(server.asked().len(), 8, "{status}: each was asked");
    }
}
