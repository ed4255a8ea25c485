//! What a request must look like before its message is read.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request};
use http_body::{Body, Frame};
use http_body_util::Full;
use serde_json::Value;

use crate::fixture::{BOTH, Client, Heard, echo, hear};

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

async fn streamed<B: Body>(client: &Client, body: B) -> Heard {
    let request = Request::post("/")
        .header("content-type", "application/json")
        .body(body)
        .expect("a request");
    let server: Arc<dyn airlock_mcp::ToolServer> = Arc::clone(&client.server) as _;
    hear(client.mcp.serve(request, server).await).await
}

#[tokio::test]
async fn a_get_is_answered_405_at_once_with_the_methods_that_are_there() {
    let client = echo();
    let session = client.session("2025-06-18").await;
    for method in [Method::GET, Method::PUT, Method::HEAD, Method::OPTIONS] {
        let request = Request::builder()
            .method(&method)
            .uri("/")
            .header("accept", "text/event-stream");
        let request = request
            .header("mcp-session-id", &session)
            .body(Full::default())
            .expect("a request");
        let heard = hear(client.send(request).await).await;
        assert_eq!(heard.error(), (405, 405, Value::Null), "{method}");
        assert_eq!(heard.headers["allow"], "POST, DELETE");
    }
}

#[tokio::test]
async fn what_is_not_declared_as_json_is_refused() {
    let client = echo();
    for (kind, status) in [
        ("application/json", 200),
        ("Application/JSON; charset=utf-8", 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/json5", 415),
        ("", 415),
    ] {
        let request = Request::post("/")
            .header("content-type", kind)
            .body(PING.into())
            .expect("a request");
        assert_eq!(client.send(request).await.status(), status, "{kind}");
    }
    let request = Request::post("/").body(PING.into()).expect("a request");
    assert_eq!(
        hear(client.send(request).await).await.error(),
        (415, 415, Value::Null)
    );
}

#[tokio::test]
async fn the_form_of_an_answer_is_one_that_the_client_accepts() {
    let client = echo();
    for (accept, expected) in [
        ("application/json, text/event-stream", "application/json"),
        ("*/*", "application/json"),
        ("text/event-stream", "text/event-stream"),
    ] {
        let heard = client.post(&[("accept", accept)], PING).await;
        assert_eq!(
            (heard.status.as_u16(), &heard.headers["content-type"]),
            (200, &expected.parse().expect("ASCII"))
        );
        assert_eq!(heard.headers["cache-control"], "no-store");
        let message = if heard.is_stream() {
            heard.events().remove(0)
        } else {
            heard.json()
        };
        assert_eq!(
            message,
            serde_json::json!({"jsonrpc": "2.0", "id": 1, "result": {}})
        );
    }
    assert_eq!(client.post(&[], PING).await.status, 200);
    assert_eq!(
        client.post(&[("accept", "text/html")], PING).await.error(),
        (406, 406, Value::Null)
    );
}

/// A body that never gives anything, and says how long it is.
struct Stalled(Option<u64>);

impl Body for Stalled {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.0.map_or_else(
            http_body::SizeHint::default,
            http_body::SizeHint::with_exact,
        )
    }
}

#[tokio::test(start_paused = true)]
async fn a_declared_length_over_the_cap_is_refused_before_a_byte_is_read() {
    let client = echo();
    let start = tokio::time::Instant::now();
    assert_eq!(
        streamed(&client, Stalled(Some(4 * 1024 * 1024 + 1)))
            .await
            .error(),
        (413, 413, Value::Null)
    );
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_given_up_after_its_time() {
    let client = echo();
    let start = tokio::time::Instant::now();
    assert_eq!(
        streamed(&client, Stalled(None)).await.error(),
        (408, 408, Value::Null)
    );
    assert_eq!(start.elapsed(), Duration::from_secs(30));
}

/// A body that comes in pieces, and may break off.
struct Pieces(VecDeque<Result<Bytes, &'static str>>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        Poll::Ready(self.0.pop_front().map(|piece| piece.map(Frame::data)))
    }
}

#[tokio::test]
async fn a_body_in_pieces_is_one_body() {
    let client = echo();
    let bytes = PING.bytes().map(|byte| Ok(vec![byte].into())).collect();
    assert_eq!(streamed(&client, Pieces(bytes)).await.status, 200);
    let padding = Bytes::from(vec![b' '; 1024 * 1024]);
    let long = [Bytes::from(PING)]
        .into_iter()
        .chain(vec![padding; 4])
        .map(Ok)
        .collect();
    assert_eq!(
        streamed(&client, Pieces(long)).await.error(),
        (413, 413, Value::Null)
    );
}

#[tokio::test]
async fn a_body_that_breaks_off_is_a_bad_request() {
    let body = Pieces([Ok(PING[..9].into()), Err("reset")].into());
    assert_eq!(
        streamed(&echo(), body).await.error(),
        (400, 400, Value::Null)
    );
}

#[tokio::test]
async fn an_address_that_died_while_the_body_came_is_not_found() {
    let client = echo();
    client.server.gone.cancel();
    let heard = client.post(BOTH, PING).await;
    assert_eq!(heard.error(), (404, 404, "absent".into()));
    assert_eq!(heard.text, hear(airlock_mcp::not_found()).await.text);
}

#[tokio::test]
async fn an_error_without_a_request_has_the_id_that_the_version_wants() {
    let client = echo();
    for (version, id) in [
        ("2025-03-26", Value::Null),
        ("2025-06-18", Value::Null),
        ("2025-11-25", "absent".into()),
        ("2026-07-28", "absent".into()),
    ] {
        let heard = client.post(&[("mcp-protocol-version", version)], "{").await;
        assert_eq!(heard.error(), (400, -32700, id), "{version}");
    }
}
