//! The stateless era: what a request must say, what it is answered, and what ends it.

use std::{sync::Arc, time::Duration};

use airlock_mcp::{CallError, CallResult, Capabilities, Level, Offers};
use serde_json::{Value, json};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

use crate::fixture::{BOTH, Client, Fake, Heard, client, echo, modern, raw};

const INFO: &str = "io.modelcontextprotocol/serverInfo";

/// Posts with some headers changed; a value of `None` leaves one out.
async fn with_headers(
    client: &Client,
    (headers, body): (Vec<(&'static str, String)>, String),
    changed: &[(&'static str, Option<&str>)],
) -> Heard {
    let mut headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    for (name, value) in changed {
        headers.retain(|(other, _)| other != name);
        headers.extend(value.map(|value| (*name, value)));
    }
    client.post(&headers, &body).await
}

#[tokio::test]
async fn discover_says_what_is_there_and_who_serves_it() {
    let heard = echo().modern("server/discover", json!({})).await;
    assert_eq!(heard.status, 200);
    assert!(!heard.headers.contains_key("mcp-session-id"));
    assert_eq!(
        heard.json()["result"],
        json!({
            "supportedVersions": ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"],
            "capabilities": {"tools": {}},
            "instructions": "Ask it.",
            "ttlMs": 60_000,
            "cacheScope": "private",
            "_meta": {INFO: {"name": "echo", "title": "Echo \"app\"", "version": "1.0"}},
            "resultType": "complete",
        })
    );
}

#[tokio::test]
async fn tools_are_listed_with_their_time_to_live_and_the_servers_name() {
    let heard = echo().modern("tools/list", json!({})).await;
    let result = &heard.json()["result"];
    assert_eq!(
        result["tools"],
        json!([{"name": "run", "title": "Run", "inputSchema": {"type": "object"}}])
    );
    assert_eq!(result["resultType"], "complete");
    assert_eq!(
        (&result["ttlMs"], &result["cacheScope"]),
        (&json!(60_000), &json!("private"))
    );
    assert_eq!(result["_meta"][INFO]["name"], "echo");
    let cursor = echo().modern("tools/list", json!({"cursor": "x"})).await;
    assert_eq!(cursor.error(), (200, -32602, json!(1)));
}

#[tokio::test]
async fn a_call_is_answered_completely() {
    let params = json!({"name": "run", "arguments": {"z": 1.0, "a": 2}});
    let heard = echo().modern("tools/call", params).await;
    let result = &heard.json()["result"];
    assert_eq!(result["resultType"], "complete");
    assert_eq!(result["_meta"][INFO]["name"], "echo");
    assert!(
        result["content"][0]["text"]
            .as_str()
            .is_some_and(|text| text.starts_with("run {"))
    );
}

#[tokio::test]
async fn what_is_missing_in_meta_is_a_bad_request() {
    let client = echo();
    let without = |member: &str| {
        let (headers, body) = modern("server/discover", json!({}));
        let mut body: Value = serde_json::from_str(&body).expect("JSON");
        let meta = body["params"]["_meta"].as_object_mut().expect("an object");
        meta.remove(&format!("io.modelcontextprotocol/{member}"));
        (headers, body.to_string())
    };
    for member in ["protocolVersion", "clientCapabilities"] {
        let heard = with_headers(&client, without(member), &[]).await;
        assert_eq!(heard.error(), (400, -32602, json!(1)), "{member}");
    }
    let heard = with_headers(&client, without("clientInfo"), &[]).await;
    assert_eq!(heard.status, 200, "a client need not say who it is");
    let (headers, _) = modern("tools/list", json!({}));
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":7}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":7}}}"#,
    ] {
        let heard = with_headers(&client, (headers.clone(), body.to_owned()), &[]).await;
        assert_eq!(heard.error(), (400, -32602, json!(1)), "{body}");
    }
}

#[tokio::test]
async fn a_version_that_nobody_speaks_is_answered_with_those_that_we_do() {
    for version in ["v999.0.0", "2027-01-01", "2025-11-25"] {
        let params = json!({"_meta": {"io.modelcontextprotocol/protocolVersion": version}});
        let changed = [("mcp-protocol-version", Some(version))];
        let heard = with_headers(&echo(), modern("server/discover", params), &changed).await;
        assert_eq!(heard.error(), (400, -32022, json!(1)), "{version}");
        assert_eq!(
            heard.json()["error"]["data"],
            json!({
                "supported": ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"],
                "requested": version,
            })
        );
    }
}

#[tokio::test]
async fn headers_that_disagree_with_the_body_are_refused() {
    let client = echo();
    let call = || modern("tools/call", json!({"name": "run"}));
    for (name, value) in [
        ("mcp-protocol-version", Some("2025-11-25")),
        ("mcp-protocol-version", None),
        ("mcp-method", Some("tools/list")),
        ("mcp-method", Some("TOOLS/CALL")),
        ("mcp-method", None),
        ("mcp-name", Some("Run")),
        ("mcp-name", Some("=?base64?cnVu")),
        ("mcp-name", None),
    ] {
        let heard = with_headers(&client, call(), &[(name, value)]).await;
        assert_eq!(heard.error(), (400, -32020, json!(1)), "{name}: {value:?}");
    }
    let heard = with_headers(&client, call(), &[("mcp-name", Some("=?base64?cnVu?="))]).await;
    assert_eq!(heard.status, 200);
    let (mut headers, body) = call();
    headers.push(("mcp-name", "run".to_owned()));
    let heard = with_headers(&client, (headers, body), &[]).await;
    assert_eq!(heard.error().1, -32020, "a header that is there twice");
}

#[tokio::test]
async fn arguments_that_a_tool_mirrors_must_be_in_their_headers() {
    let mut server = Fake::new(|_| Box::pin(async { Ok(CallResult::text("ok").into()) }));
    let tool = r#"{"name":"run","inputSchema":{"properties":{"region":{"type":"string","x-mcp-header":"Region"},"n":{"type":"integer","x-mcp-header":"N"}}}}"#;
    server.tools = airlock_mcp::Tools::new(&[raw(tool)]).expect("a tool");
    let client = server.client();
    let call = || {
        modern(
            "tools/call",
            json!({"name": "run", "arguments": {"region": "Hello", "n": 7}}),
        )
    };
    for (region, number, status) in [
        (Some("Hello"), Some("7"), 200),
        (Some("=?base64?SGVsbG8=?="), Some("7.0"), 200),
        (Some("=?base64?SGVsbG8?="), Some("7"), 400),
        (Some("=?base64?SGVs!!!bG8=?="), Some("7"), 400),
        (Some("hello"), Some("7"), 400),
        (Some("Hello"), Some("8"), 400),
        (None, Some("7"), 400),
        (Some("Hello"), None, 400),
    ] {
        let changed = [("mcp-param-region", region), ("mcp-param-n", number)];
        let heard = with_headers(&client, call(), &changed).await;
        assert_eq!(heard.status, status, "{changed:?} {}", heard.text);
        if status == 400 {
            assert_eq!(heard.error().1, -32020);
        }
    }
    let bare = modern(
        "tools/call",
        json!({"name": "run", "arguments": {"n": null}}),
    );
    assert_eq!(with_headers(&client, bare.clone(), &[]).await.status, 200);
    let heard = with_headers(&client, bare, &[("mcp-param-n", Some("1"))]).await;
    assert_eq!(heard.status, 400, "a header that mirrors nothing");
}

#[tokio::test]
async fn methods_that_the_era_does_not_have_are_not_found() {
    let client = echo();
    for method in [
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
        "resources/list",
        "resources/read",
        "prompts/list",
        "prompts/get",
        "completion/complete",
        "subscriptions/listen",
        "tasks/get",
        "unknown/method",
    ] {
        let heard = client.modern(method, json!({})).await;
        assert_eq!(heard.error(), (404, -32601, json!(1)), "{method}");
    }
}

#[tokio::test]
async fn what_is_no_request_is_accepted_or_refused_by_its_kind() {
    let client = echo();
    let (headers, _) = modern("tools/list", json!({}));
    for (body, status) in [
        (
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#,
            202,
        ),
        (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, 400),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"tools/list"}]"#, 400),
        (r#"{"jsonrpc":"2.0","id":null,"method":"tools/list"}"#, 400),
        ("{", 400),
    ] {
        let heard = with_headers(&client, (headers.clone(), body.to_owned()), &[]).await;
        assert_eq!(heard.status, status, "{body}");
        if status == 400 {
            assert_eq!(heard.error().2, "absent", "{body}");
        }
    }
}

#[tokio::test]
async fn a_capability_that_is_missing_is_named_with_400() {
    let client = client(|call| {
        assert_eq!(call.context.client.name, "test");
        Box::pin(async { Err(CallError::MissingCapability(Capabilities::SAMPLING)) })
    });
    let heard = client.modern("tools/call", json!({"name": "run"})).await;
    assert_eq!(heard.error(), (400, -32021, json!(1)));
    assert_eq!(
        heard.json()["error"]["data"],
        json!({"requiredCapabilities": {"sampling": {}}})
    );
    // Before, no code said so; an AI reads it.
    let heard = client
        .post(BOTH, &crate::fixture::initialize("2025-11-25", "test"))
        .await;
    let session = heard.headers["mcp-session-id"]
        .to_str()
        .expect("ASCII")
        .to_owned();
    let heard = client
        .post(
            &[BOTH[0], ("mcp-session-id", &session)],
            &crate::fixture::call("1", ""),
        )
        .await;
    assert_eq!(heard.json()["result"]["isError"], true);
}

#[tokio::test]
async fn an_unknown_tool_is_an_answer_and_no_bad_request() {
    let client = client(|_| Box::pin(async { Err(CallError::Unknown) }));
    let heard = client.modern("tools/call", json!({"name": "fly"})).await;
    assert_eq!(heard.error(), (200, -32602, json!(1)));
    let heard = client.modern("tools/call", json!({})).await;
    assert_eq!(heard.error(), (200, -32602, json!(1)));
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_at_once_when_its_client_leaves() {
    let (events, mut told) = mpsc::unbounded_channel();
    let client = Arc::new(client(move |call| {
        let events = events.clone();
        Box::pin(async move {
            let _ = events.send("started");
            call.context.cancelled.cancelled().await;
            let _ = events.send("told");
            Err(CallError::Cancelled)
        })
    }));
    // While it waits for JSON or a stream to be chosen, and on the stream.
    let start = Instant::now();
    let params = || json!({"name": "run"});
    let opening = client.open_modern("tools/call", params());
    assert!(timeout(Duration::from_millis(100), opening).await.is_err());
    assert_eq!(
        (told.recv().await, told.recv().await),
        (Some("started"), Some("told"))
    );
    assert_eq!(start.elapsed(), Duration::from_millis(100));

    let stream = client.open_modern("tools/call", params()).await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    assert_eq!(told.recv().await, Some("started"));
    let left = Instant::now();
    drop(stream);
    assert_eq!(told.recv().await, Some("told"));
    assert_eq!(left.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn a_log_goes_only_to_those_who_asked_and_from_the_level_they_named() {
    let mut server = Fake::new(|call| {
        Box::pin(async move {
            call.context.log.send(Level::Debug, None, &raw("\"quiet\""));
            call.context
                .log
                .send(Level::Error, Some("it"), &raw(r#"{"loud":1.0}"#));
            Ok(CallResult::text("done").into())
        })
    });
    server.offers = Offers {
        logging: true,
        ..Offers::default()
    };
    let client = server.client();
    let silent = client.modern("tools/call", json!({"name": "run"})).await;
    assert!(!silent.is_stream());
    let meta = json!({"io.modelcontextprotocol/logLevel": "info"});
    let heard = client
        .modern("tools/call", json!({"name": "run", "_meta": meta}))
        .await;
    let events = heard.events();
    assert_eq!(
        events[0],
        json!({"jsonrpc": "2.0", "method": "notifications/message",
            "params": {"level": "error", "logger": "it", "data": {"loud": 1.0}}})
    );
    assert_eq!((events.len(), &events[1]["id"]), (2, &json!(1)));
    let meta = json!({"io.modelcontextprotocol/logLevel": "loud"});
    let heard = client
        .modern("tools/call", json!({"name": "run", "_meta": meta}))
        .await;
    assert_eq!(heard.error(), (400, -32602, json!(1)));
}
