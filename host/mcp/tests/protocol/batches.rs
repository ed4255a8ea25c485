//! Batches, which 2025-03-26 has and later versions do not.

use std::time::Duration;

use serde_json::json;

use crate::fixture::{BOTH, JSON, WITH_PROGRESS, call, echo, initialize, slow};

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
const NOTE: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

#[tokio::test]
async fn each_request_of_a_batch_is_answered_and_nothing_else() {
    let answer = r#"{"jsonrpc":"2.0","id":9,"result":{}}"#;
    let batch = format!(
        r#"[{PING}, {NOTE}, {}, {answer}, 7, {}, {{"jsonrpc":"2.0","id":3,"method":"x"}}]"#,
        call("2", ""),
        initialize("2025-03-26", "test")
    );
    let heard = echo().post(BOTH, &batch).await;
    assert_eq!(heard.status, 200);
    let messages = heard.json();
    let ids: Vec<_> = messages
        .as_array()
        .expect("a batch")
        .iter()
        .map(|message| message["id"].clone())
        .collect();
    assert_eq!(ids, [json!(1), json!(null), json!(0), json!(3), json!(2)]);
    assert_eq!(messages[1]["error"]["code"], -32600);
    assert_eq!(messages[2]["error"]["code"], -32600);
    assert_eq!(messages[3]["error"]["code"], -32601);
    assert_eq!(messages[4]["result"]["content"][0]["text"], "run {}");
}

#[tokio::test]
async fn a_batch_of_one_is_answered_with_a_batch() {
    assert_eq!(
        echo()
            .post(BOTH, &format!("[{PING}]"))
            .await
            .json()
            .as_array()
            .map(Vec::len),
        Some(1)
    );
}

#[tokio::test]
async fn a_batch_that_asks_nothing_is_accepted() {
    let heard = echo().post(BOTH, &format!("[{NOTE},{NOTE}]")).await;
    assert_eq!((heard.status.as_u16(), heard.text.as_str()), (202, ""));
}

#[tokio::test]
async fn a_batch_is_bounded_and_not_empty() {
    let client = echo();
    assert_eq!(
        client
            .post(BOTH, &format!("[{}]", [PING; 32].join(",")))
            .await
            .status,
        200
    );
    for body in ["[]".to_owned(), format!("[{}]", [PING; 33].join(","))] {
        assert_eq!(
            client.post(BOTH, &body).await.error(),
            (400, -32600, json!(null))
        );
    }
    assert_eq!(
        client.post(BOTH, &format!("[{PING}")).await.error(),
        (400, -32700, json!(null))
    );
}

#[tokio::test]
async fn versions_without_batches_refuse_them() {
    let client = echo();
    for version in ["2025-06-18", "2025-11-25", "2026-07-28"] {
        let heard = client
            .post(&[("mcp-protocol-version", version)], &format!("[{PING}]"))
            .await;
        assert_eq!(
            (heard.error().0, heard.error().1),
            (400, -32600),
            "{version}"
        );
    }
    let session = client.session("2025-06-18").await;
    assert_eq!(
        client
            .post(&[("mcp-session-id", &session)], &format!("[{PING}]"))
            .await
            .status,
        400
    );
}

#[tokio::test(start_paused = true)]
async fn long_calls_of_a_batch_become_events() {
    let batch = format!("[{PING},{},{}]", call("2", WITH_PROGRESS), call("3", ""));
    let client = slow(Duration::from_secs(60));
    let heard = client.post(BOTH, &batch).await;
    let answered = |id: i64| {
        heard
            .events()
            .iter()
            .filter(|event| event["id"] == id)
            .count()
    };
    assert!(
        heard.is_stream() && [1, 2, 3].map(answered) == [1, 1, 1],
        "{}",
        heard.text
    );
    assert_eq!(
        client
            .post(JSON, &batch)
            .await
            .json()
            .as_array()
            .map(Vec::len),
        Some(3)
    );
}
