//! `initialize`, versions and sessions.

use std::sync::{Arc, atomic::Ordering};

use airlock_mcp::{CallResult, Config, Mcp};
use http::Request;
use http_body_util::Full;
use serde_json::json;

use crate::fixture::{BOTH, Client, call, client, echo, hear, initialize, keys};

const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;

async fn delete(client: &Client, session: Option<&str>) -> u16 {
    let mut request = Request::delete("/");
    if let Some(session) = session {
        request = request.header("mcp-session-id", session);
    }
    client
        .send(request.body(Full::default()).expect("a request"))
        .await
        .status()
        .as_u16()
}

#[tokio::test]
async fn initialize_says_who_serves() {
    let heard = echo().post(BOTH, &initialize("2025-06-18", "test")).await;
    assert_eq!(
        heard.json(),
        json!({"jsonrpc": "2.0", "id": 0, "result": {
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "echo", "title": "Echo \"app\"", "version": "1.0"},
            "instructions": "Ask it."
        }})
    );
    let id = heard.headers["mcp-session-id"].as_bytes();
    assert!(id.iter().all(u8::is_ascii_graphic));
}

#[tokio::test]
async fn a_version_we_speak_is_echoed_and_any_other_gets_our_newest() {
    let client = echo();
    for (asked, answered) in [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-11-25", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("1.0", "2025-11-25"),
    ] {
        // Whatever the headers say: a client that falls back may still carry those of its probe.
        let headers = [
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-session-id", "stale"),
        ];
        let heard = client.post(&headers, &initialize(asked, "test")).await;
        assert_eq!(heard.json()["result"]["protocolVersion"], answered);
        assert_eq!(
            heard.json()["result"]["serverInfo"].get("title").is_some(),
            answered >= "2025-06-18"
        );
    }
}

#[tokio::test]
async fn initialize_without_a_version_is_refused_and_without_a_name_is_not() {
    let client = echo();
    let without = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#;
    let heard = client.post(BOTH, without).await;
    assert_eq!(heard.error(), (200, -32602, json!(0)));
    assert!(!heard.headers.contains_key("mcp-session-id"));
    let nameless = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","clientInfo":7}}"#;
    assert!(
        client
            .post(BOTH, nameless)
            .await
            .headers
            .contains_key("mcp-session-id")
    );
}

#[tokio::test]
async fn a_session_remembers_its_version_and_who_calls() {
    let client = client(|call| {
        let text = format!(
            "{} {} {}",
            call.context.client.name,
            call.context.client.version,
            call.context.session.is_some()
        );
        Box::pin(async move { Ok(CallResult::text(&text).into()) })
    });
    let session = client.session("2025-11-25").await;
    let titled = client
        .post(&[("mcp-session-id", &session)], LIST)
        .await
        .json();
    assert_eq!(titled["result"]["tools"][0]["title"], "Run");
    // The header is what the client speaks now.
    let both = [
        ("mcp-session-id", session.as_str()),
        ("mcp-protocol-version", "2025-03-26"),
    ];
    assert_eq!(
        client.post(&both, LIST).await.json()["result"]["tools"][0].get("title"),
        None
    );

    let text = |heard: crate::fixture::Heard| heard.json()["result"]["content"][0]["text"].clone();
    assert_eq!(
        text(
            client
                .post(&[("mcp-session-id", &session)], &call("1", ""))
                .await
        ),
        "test 2.1 true"
    );
    assert_eq!(text(client.post(&[], &call("1", "")).await), "  false");
}

#[tokio::test]
async fn a_session_outlives_a_restart_and_dies_with_its_credential() {
    let client = echo();
    let session = client.session("2025-06-18").await;
    let headers = [("mcp-session-id", session.as_str())];
    let restarted = Client {
        mcp: Arc::new(Mcp::new(Config::default(), &keys(7))),
        server: Arc::clone(&client.server),
    };
    assert_eq!(restarted.post(&headers, LIST).await.status, 200);

    client.server.epoch.store(2, Ordering::SeqCst);
    assert_eq!(
        client.post(&headers, LIST).await.error(),
        (404, -32001, json!(1))
    );
    assert_eq!(delete(&client, Some(&session)).await, 404);
}

#[tokio::test]
async fn a_session_that_is_not_ours_is_not_found_by_anything() {
    let client = echo();
    let session = client.session("2025-06-18").await;
    let mut tampered = session.clone().into_bytes();
    tampered[5] ^= 1;
    let tampered = String::from_utf8(tampered).expect("ASCII");
    let note = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    for foreign in [tampered.as_str(), "sess-0001", "", &"A".repeat(4000)] {
        let headers = [("mcp-session-id", foreign)];
        assert_eq!(
            client.post(&headers, LIST).await.error(),
            (404, -32001, json!(1))
        );
        assert_eq!(client.post(&headers, note).await.status, 404);
        assert_eq!(
            client.post(&headers, &format!("[{LIST}]")).await.status,
            404
        );
        assert_eq!(delete(&client, Some(foreign)).await, 404);
    }
    assert_eq!(
        client
            .post(&[("mcp-session-id", &session)], LIST)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_deleted_session_is_over() {
    let client = echo();
    let (session, other) = (
        client.session("2025-06-18").await,
        client.session("2025-06-18").await,
    );
    assert_eq!(delete(&client, Some(&session)).await, 204);
    assert_eq!(delete(&client, Some(&session)).await, 404);
    assert_eq!(
        client
            .post(&[("mcp-session-id", &session)], LIST)
            .await
            .status,
        404
    );
    assert_eq!(
        client
            .post(&[("mcp-session-id", &other)], LIST)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_delete_without_a_session_is_no_method_of_ours() {
    let client = echo();
    assert_eq!(delete(&client, None).await, 405);
    let request = Request::delete("/")
        .body(Full::default())
        .expect("a request");
    assert_eq!(hear(client.send(request).await).await.error().1, 405);
}
