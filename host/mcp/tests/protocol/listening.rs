//! Streams of changes, in both eras.

use std::time::Duration;

use airlock_mcp::{Body, CallResult, Change, Changes, Config, Offers};
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::fixture::{BOTH, Client, Fake, initialize, modern};

const ID: &str = "io.modelcontextprotocol/subscriptionId";

fn changing() -> (Client, Changes) {
    let mut server = Fake::new(|_| Box::pin(async { Ok(CallResult::text("").into()) }));
    let changes = Changes::new();
    server.changes = Some(changes.clone());
    server.offers = Offers {
        resources: true,
        ..Offers::default()
    };
    (server.client(), changes)
}

async fn listen(client: &Client, wanted: Value) -> Response<Body> {
    client
        .open_modern("subscriptions/listen", json!({"notifications": wanted}))
        .await
}

/// The next message; none when the stream has ended. Comments are skipped.
pub(crate) async fn next(stream: &mut Response<Body>) -> Option<Value> {
    loop {
        let frame = stream.body_mut().frame().await?;
        let data = frame
            .expect("bodies do not fail")
            .into_data()
            .expect("data");
        let text = String::from_utf8(data.to_vec()).expect("UTF-8");
        let data = text.lines().find_map(|line| line.strip_prefix("data: "));
        if let Some(data) = data {
            return Some(serde_json::from_str(data).expect("each event is a message"));
        }
    }
}

/// Nothing but comments comes within a minute.
async fn is_silent(stream: &mut Response<Body>) -> bool {
    timeout(Duration::from_secs(60), next(stream))
        .await
        .is_err()
}

pub(crate) async fn get(client: &Client, session: Option<&str>) -> Response<Body> {
    let mut request = Request::get("/").header("accept", "text/event-stream");
    if let Some(session) = session {
        request = request.header("mcp-session-id", session);
    }
    client
        .send(request.body(Full::default()).expect("a request"))
        .await
}

pub(crate) async fn post(client: &Client, session: &str, method: &str, params: Value) -> Value {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let headers = [BOTH[0], ("mcp-session-id", session)];
    client.post(&headers, &body.to_string()).await.json()
}

#[tokio::test]
async fn changes_are_declared_to_those_who_can_hear_of_them() {
    let (client, _) = changing();
    let listed = json!({"tools": {"listChanged": true}, "resources": {"subscribe": true, "listChanged": true}});
    let heard = client.modern("server/discover", json!({})).await;
    assert_eq!(heard.json()["result"]["capabilities"], listed);
    let heard = client.post(BOTH, &initialize("2025-11-25", "test")).await;
    assert_eq!(heard.json()["result"]["capabilities"], listed);
    let heard = client.post(BOTH, &initialize("2025-06-18", "Dify")).await;
    assert_eq!(
        heard.json()["result"]["capabilities"],
        json!({"tools": {}, "resources": {}}),
        "without a session nobody hears"
    );
}

#[tokio::test(start_paused = true)]
async fn a_listener_hears_what_it_asked_for_under_its_own_id() {
    let (client, changes) = changing();
    let wanted = json!({"toolsListChanged": true, "promptsListChanged": true, "resourceSubscriptions": ["a:b"]});
    let mut stream = listen(&client, wanted).await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    assert_eq!(
        next(&mut stream).await,
        Some(
            json!({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": {
                "notifications": {"toolsListChanged": true, "resourceSubscriptions": ["a:b"]},
                "_meta": {ID: 1},
            }})
        ),
        "the server has no prompts"
    );
    changes.tell(Change::Prompts);
    changes.tell(Change::Resources);
    changes.tell(Change::Resource("a:c".into()));
    assert!(is_silent(&mut stream).await);
    changes.tell(Change::Tools);
    changes.tell(Change::Resource("a:b".into()));
    assert_eq!(
        next(&mut stream).await,
        Some(
            json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed", "params": {"_meta": {ID: 1}}})
        )
    );
    assert_eq!(
        next(&mut stream).await.expect("a message")["params"],
        json!({"uri": "a:b", "_meta": {ID: 1}})
    );
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_fell_behind_is_told_that_everything_changed() {
    let (client, changes) = changing();
    let wanted = json!({"toolsListChanged": true, "resourceSubscriptions": ["a:b"]});
    let mut stream = listen(&client, wanted).await;
    next(&mut stream).await;
    for _ in 0..200 {
        changes.tell(Change::Resources);
    }
    let first = next(&mut stream).await.expect("a message");
    let second = next(&mut stream).await.expect("a message");
    assert_eq!(first["method"], "notifications/tools/list_changed");
    assert_eq!(second["method"], "notifications/resources/updated");
    assert!(is_silent(&mut stream).await);
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_sends_comments() {
    let (client, _changes) = changing();
    let mut stream = listen(&client, json!({})).await;
    next(&mut stream).await;
    let start = Instant::now();
    for _ in 0..3 {
        let frame = stream
            .body_mut()
            .frame()
            .await
            .expect("a frame")
            .expect("no error");
        assert!(frame.into_data().expect("data").starts_with(b":"));
    }
    assert_eq!(start.elapsed(), Duration::from_secs(30));
}

#[tokio::test]
async fn a_subscription_ends_in_words_when_its_address_dies() {
    let (client, _changes) = changing();
    let mut stream = listen(&client, json!({})).await;
    next(&mut stream).await;
    client.server.gone.cancel();
    let end = next(&mut stream).await.expect("a last message");
    assert_eq!(
        (&end["id"], &end["result"]["resultType"]),
        (&json!(1), &json!("complete"))
    );
    assert_eq!(end["result"]["_meta"][ID], 1);
    assert_eq!(next(&mut stream).await, None);
}

#[tokio::test]
async fn what_cannot_be_listened_to_is_refused() {
    let (client, _changes) = changing();
    let many: Vec<_> = (0..65).map(|number| number.to_string()).collect();
    for params in [
        json!({}),
        json!({"notifications": []}),
        json!({"notifications": {"toolsListChanged": 1}}),
        json!({"notifications": {"resourceSubscriptions": "a"}}),
        json!({"notifications": {"resourceSubscriptions": many}}),
        json!({"notifications": {"resourceSubscriptions": ["x".repeat(2049)]}}),
    ] {
        let heard = client.modern("subscriptions/listen", params).await;
        assert_eq!(heard.error(), (200, -32602, json!(1)));
    }
    let (mut headers, body) = modern("subscriptions/listen", json!({"notifications": {}}));
    headers[0].1 = "application/json".to_owned();
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    assert_eq!(client.post(&headers, &body).await.status, 406);
}

#[tokio::test]
async fn listeners_are_bounded_and_give_their_places_back() {
    let mut server = Fake::new(|_| Box::pin(async { Ok(CallResult::text("").into()) }));
    server.changes = Some(Changes::new());
    let config = Config {
        streams: 1,
        ..Config::default()
    };
    let client = server.client_with(config);
    let mut first = listen(&client, json!({})).await;
    next(&mut first).await;
    let heard = client
        .modern("subscriptions/listen", json!({"notifications": {}}))
        .await;
    assert_eq!(heard.error(), (429, 429, json!(1)));
    drop(first);
    while !listen(&client, json!({})).await.status().is_success() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_hears_of_changes_on_its_get_stream() {
    let (client, changes) = changing();
    let session = client.session("2025-06-18").await;
    let mut stream = get(&client, Some(&session)).await;
    assert_eq!(stream.status(), 200);
    changes.tell(Change::Resource("a:b".into()));
    changes.tell(Change::Prompts);
    assert!(is_silent(&mut stream).await);
    assert_eq!(
        post(
            &client,
            &session,
            "resources/subscribe",
            json!({"uri": "a:b"})
        )
        .await["result"],
        json!({})
    );
    changes.tell(Change::Tools);
    changes.tell(Change::Resource("a:b".into()));
    assert_eq!(
        next(&mut stream).await,
        Some(json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}))
    );
    assert_eq!(
        next(&mut stream).await,
        Some(
            json!({"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": "a:b"}})
        )
    );
    post(
        &client,
        &session,
        "resources/unsubscribe",
        json!({"uri": "a:b"}),
    )
    .await;
    changes.tell(Change::Resource("a:b".into()));
    assert!(is_silent(&mut stream).await);
}

#[tokio::test]
async fn a_get_stream_ends_with_its_session() {
    let (client, _changes) = changing();
    let session = client.session("2025-06-18").await;
    let mut stream = get(&client, Some(&session)).await;
    let request = Request::delete("/")
        .header("mcp-session-id", &session)
        .body(Full::default())
        .expect("a request");
    assert_eq!(client.send(request).await.status(), 204);
    assert_eq!(next(&mut stream).await, None);
    assert_eq!(get(&client, Some(&session)).await.status(), 404);
}

#[tokio::test]
async fn a_get_without_a_session_or_without_changes_is_refused_at_once() {
    let (client, _changes) = changing();
    assert_eq!(get(&client, None).await.status(), 405);
    assert_eq!(get(&client, Some("stale")).await.status(), 404);
    let old = client.session("2024-11-05").await;
    assert_eq!(get(&client, Some(&old)).await.status(), 405);
    let silent = crate::fixture::echo();
    let session = silent.session("2025-11-25").await;
    assert_eq!(get(&silent, Some(&session)).await.status(), 405);
}

#[tokio::test]
async fn a_get_or_delete_speaks_a_version_that_has_them() {
    let (client, _changes) = changing();
    let session = client.session("2025-11-25").await;
    for (version, status) in [("2026-07-28", 405), ("2020-01-01", 400), ("2025-06-18", 0)] {
        for (method, good) in [(Method::GET, 200), (Method::DELETE, 204)] {
            let request = Request::builder()
                .method(method)
                .header("accept", "text/event-stream")
                .header("mcp-session-id", &session)
                .header("mcp-protocol-version", version);
            let request = request.body(Full::default()).expect("a request");
            let expected = if status == 0 { good } else { status };
            assert_eq!(client.send(request).await.status(), expected, "{version}");
        }
    }
}

#[tokio::test]
async fn a_subscription_needs_a_session_and_is_bounded() {
    let (client, _changes) = changing();
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"a"}}"#;
    assert_eq!(client.post(BOTH, body).await.error().1, -32602);
    let session = client.session("2025-11-25").await;
    for number in 0..16 {
        let uri = json!({"uri": number.to_string()});
        assert_eq!(
            post(&client, &session, "resources/subscribe", uri).await["result"],
            json!({})
        );
    }
    let more = post(
        &client,
        &session,
        "resources/subscribe",
        json!({"uri": "more"}),
    )
    .await;
    assert_eq!(more["error"]["code"], -32602);
}
