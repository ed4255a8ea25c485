//! What ends a call early: its client's word, its client's leaving, its address's death.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use http::Request;
use http_body_util::{BodyExt, Full};
use serde_json::json;
use tokio::{
    io::AsyncWriteExt,
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

use crate::fixture::{BOTH, Client, JSON, call, client, hear};

/// A client of a server whose calls only end when they are told to; each tells when it starts, and when it was told.
fn endless() -> (Client, mpsc::UnboundedReceiver<&'static str>) {
    let (events, told) = mpsc::unbounded_channel();
    let client = client(move |call| {
        let events = events.clone();
        Box::pin(async move {
            let _ = events.send("started");
            call.context.cancelled.cancelled().await;
            let _ = events.send("told");
            Err(airlock_mcp::CallError::Cancelled)
        })
    });
    (client, told)
}

pub(crate) fn cancel(id: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id},"reason":"tired"}}}}"#
    )
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_stream_ends_at_once_without_a_response() {
    let (client, mut told) = endless();
    let session = client.session("2025-11-25").await;
    let headers = [BOTH[0], ("mcp-session-id", session.as_str())];
    let response = client.open(&headers, &call(r#""a/b""#, "")).await;
    let start = Instant::now();
    assert_eq!(
        client.post(&headers, &cancel(r#""a\/b""#)).await.status,
        202
    );
    let heard = hear(response).await;
    assert!(heard.events().is_empty(), "{}", heard.text);
    assert_eq!(
        (told.recv().await, told.recv().await),
        (Some("started"), Some("told"))
    );
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_that_waits_for_json_is_answered_that_it_was_cancelled() {
    let (client, mut told) = endless();
    let client = Arc::new(client);
    let session = client.session("2025-11-25").await;
    let waiting = {
        let (client, session) = (Arc::clone(&client), session.clone());
        tokio::spawn(async move {
            client
                .post(&[JSON[0], ("mcp-session-id", &session)], &call("5", ""))
                .await
        })
    };
    assert_eq!(told.recv().await, Some("started"));
    client
        .post(&[("mcp-session-id", &session)], &cancel("5"))
        .await;
    assert_eq!(
        waiting.await.expect("no panic").error(),
        (200, -32800, json!(5))
    );
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_reaches_only_the_calls_of_its_session_and_id() {
    let (client, mut told) = endless();
    let (mine, other) = (
        client.session("2025-11-25").await,
        client.session("2025-11-25").await,
    );
    let _stream = client
        .open(&[BOTH[0], ("mcp-session-id", &mine)], &call("1", ""))
        .await;
    let _sessionless = client.open(BOTH, &call("1", "")).await;
    assert_eq!(
        (told.recv().await, told.recv().await),
        (Some("started"), Some("started"))
    );
    for (session, id) in [
        (Some(&other), "1"),
        (None, "1"),
        (Some(&mine), "2"),
        (Some(&mine), r#""1""#),
    ] {
        let headers: Vec<_> = session
            .iter()
            .map(|session| ("mcp-session-id", session.as_str()))
            .collect();
        assert_eq!(client.post(&headers, &cancel(id)).await.status, 202);
    }
    assert!(
        timeout(Duration::from_secs(60), told.recv()).await.is_err(),
        "a call was stopped by a stranger"
    );
    client
        .post(&[("mcp-session-id", &mine)], &cancel("1"))
        .await;
    assert_eq!(told.recv().await, Some("told"));
}

#[tokio::test(start_paused = true)]
async fn deleting_a_session_stops_what_it_runs() {
    let (client, mut told) = endless();
    let session = client.session("2025-11-25").await;
    let response = client
        .open(&[BOTH[0], ("mcp-session-id", &session)], &call("1", ""))
        .await;
    let request = Request::delete("/")
        .header("mcp-session-id", &session)
        .body(Full::default())
        .expect("a request");
    assert_eq!(client.send(request).await.status(), 204);
    assert!(hear(response).await.events().is_empty());
    assert_eq!(
        (told.recv().await, told.recv().await),
        (Some("started"), Some("told"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_goes_on_for_ten_seconds_after_its_stream_was_dropped() {
    let (client, mut told) = endless();
    let mut response = client.open(BOTH, &call("1", "")).await;
    let first = response
        .body_mut()
        .frame()
        .await
        .expect("a comment at once")
        .expect("bodies do not fail");
    assert!(first.into_data().expect("data").starts_with(b":"));
    assert_eq!(told.recv().await, Some("started"));
    let start = Instant::now();
    drop(response);
    assert_eq!(told.recv().await, Some("told"));
    assert_eq!(start.elapsed(), Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_call_goes_on_for_ten_seconds_after_whoever_waited_for_json_left() {
    let (client, mut told) = endless();
    let start = Instant::now();
    let waited = timeout(Duration::from_secs(3), client.open(JSON, &call("1", ""))).await;
    assert!(waited.is_err());
    assert_eq!(
        (told.recv().await, told.recv().await),
        (Some("started"), Some("told"))
    );
    assert_eq!(start.elapsed(), Duration::from_secs(13));
}

/// Through hyper, which drops the future or the body when it reads the end of the connection.
#[tokio::test(start_paused = true)]
async fn a_connection_that_closes_is_a_hang_up() {
    for accept in ["application/json", "application/json, text/event-stream"] {
        let (client, mut told) = endless();
        let (mut near, far) = tokio::io::duplex(4096);
        let service = hyper::service::service_fn(move |request| {
            let (mcp, server) = (Arc::clone(&client.mcp), Arc::clone(&client.server));
            async move { Ok::<_, std::convert::Infallible>(mcp.serve(request, server).await) }
        });
        let io = hyper_util::rt::TokioIo::new(far);
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(io, service));
        let body = call("1", "");
        let length = body.len();
        let head = format!(
            "POST / HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        near.write_all((head + &body).as_bytes())
            .await
            .expect("a connection");
        assert_eq!(told.recv().await, Some("started"));
        sleep(Duration::from_secs(2)).await;
        let start = Instant::now();
        drop(near);
        assert_eq!(told.recv().await, Some("told"), "{accept}");
        assert_eq!(start.elapsed(), Duration::from_secs(10), "{accept}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_address_ends_its_calls_at_once_and_says_so() {
    let (client, mut told) = endless();
    let client = Arc::new(client);
    let stream = client.open(BOTH, &call("1", "")).await;
    let waiting = {
        let client = Arc::clone(&client);
        tokio::spawn(async move { client.post(JSON, &call("2", "")).await })
    };
    assert_eq!(
        (told.recv().await, told.recv().await),
        (Some("started"), Some("started"))
    );
    let start = Instant::now();
    client.server.gone.cancel();
    let events = hear(stream).await.events();
    assert_eq!(
        (&events[0]["id"], &events[0]["error"]["code"]),
        (&json!(1), &json!(404))
    );
    assert_eq!(
        waiting.await.expect("no panic").error(),
        (200, 404, json!(2))
    );
    assert_eq!(
        (told.recv().await, told.recv().await),
        (Some("told"), Some("told"))
    );
    assert!(start.elapsed() <= Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_does_not_wind_down_is_dropped() {
    struct Held(Arc<Mutex<Option<Instant>>>);
    impl Drop for Held {
        fn drop(&mut self) {
            *self.0.lock().expect("no panic") = Some(Instant::now());
        }
    }
    let dropped = Arc::new(Mutex::new(None));
    let held = Arc::clone(&dropped);
    let client = client(move |_call| {
        let held = Held(Arc::clone(&held));
        Box::pin(async move {
            let _held = held;
            std::future::pending().await
        })
    });
    let stream = client.open(BOTH, &call("1", "")).await;
    let start = Instant::now();
    client.server.gone.cancel();
    hear(stream).await;
    assert_eq!(start.elapsed(), Duration::ZERO, "nobody waits for it");
    while dropped.lock().expect("no panic").is_none() {
        sleep(Duration::from_millis(100)).await;
    }
    assert!(start.elapsed() <= Duration::from_millis(5100));
}
