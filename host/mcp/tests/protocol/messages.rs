//! JSON-RPC: what is a message, and which error each thing that is none gets.

use serde_json::{Value, json};

use crate::fixture::{BOTH, echo};

#[tokio::test]
async fn what_is_no_message_gets_the_error_that_says_so() {
    let client = echo();
    let long_id = format!(
        r#"{{"jsonrpc":"2.0","id":"{}","method":"ping"}}"#,
        "x".repeat(300)
    );
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_params =
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"x":{deep}}}}}"#);
    for (body, expected) in [
        ("", (400, -32700, Value::Null)),
        ("{", (400, -32700, Value::Null)),
        ("nonsense", (400, -32700, Value::Null)),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"ping"} {}"#,
            (400, -32700, Value::Null),
        ),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\nb\"}",
            (400, -32700, Value::Null),
        ),
        ("3", (400, -32600, Value::Null)),
        ("null", (400, -32600, Value::Null)),
        (r#""ping""#, (400, -32600, Value::Null)),
        ("{}", (400, -32600, Value::Null)),
        (r#"{"id":1,"method":"ping"}"#, (400, -32600, json!(1))),
        (
            r#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#,
            (400, -32600, json!(1)),
        ),
        (
            r#"{"jsonrpc":"1.0","id":"a","method":"ping"}"#,
            (400, -32600, json!("a")),
        ),
        (r#"{"jsonrpc":"2.0","id":1}"#, (400, -32600, json!(1))),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
            (400, -32600, json!(1)),
        ),
        (
            r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
            (400, -32600, Value::Null),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
            (400, -32600, Value::Null),
        ),
        (
            r#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#,
            (400, -32600, Value::Null),
        ),
        (
            r#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#,
            (400, -32600, Value::Null),
        ),
        (&long_id, (400, -32600, Value::Null)),
        (
            r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#,
            (400, -32600, Value::Null),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#,
            (400, -32600, json!(1)),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":"x"}"#,
            (400, -32600, json!(1)),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            (400, -32600, Value::Null),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}"#,
            (400, -32600, Value::Null),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":3}}"#,
            (200, -32602, json!(1)),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"x"}}"#,
            (200, -32602, json!(1)),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"info"}}"#,
            (200, -32601, json!(1)),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete"}"#,
            (200, -32601, json!(1)),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"resources/read"}"#,
            (200, -32601, json!(1)),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"Ping"}"#,
            (200, -32601, json!(1)),
        ),
    ] {
        let heard = client.post(BOTH, body).await;
        assert_eq!(heard.error(), expected, "{}", &body[..body.len().min(200)]);
    }
    // Depth that nobody reads is harmless, and deep arrays are a batch of one item that is no message.
    assert_eq!(client.post(BOTH, &deep_params).await.status, 200);
    assert_eq!(
        client.post(BOTH, &deep).await.json()[0]["error"]["code"],
        -32600
    );
}

#[tokio::test]
async fn an_id_comes_back_as_it_was_written() {
    let client = echo();
    for id in [
        "0",
        "-1",
        "18446744073709551616",
        r#""""#,
        r#""\u0041\/\ud800""#,
    ] {
        let heard = client
            .post(
                BOTH,
                &format!(r#"{{"id":{id},"method":"ping","jsonrpc":"2.0"}}"#),
            )
            .await;
        assert_eq!(
            heard.text,
            format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#)
        );
    }
}

#[tokio::test]
async fn members_that_mean_nothing_and_null_params_are_no_fault() {
    let client = echo();
    let body = r#" {"jsonrpc":"\u0032.0","x":[],"id":1,"method":"p\u0069ng","params":null}"#;
    assert_eq!(client.post(BOTH, body).await.json()["result"], json!({}));
}

#[tokio::test]
async fn a_notification_is_accepted_and_never_answered() {
    let client = echo();
    for body in [
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":{}}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/of/tomorrow","params":{"_meta":1}}"#,
        r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"run"}}"#,
    ] {
        let heard = client.post(BOTH, body).await;
        assert_eq!(
            (heard.status.as_u16(), heard.text.as_str()),
            (202, ""),
            "{body}"
        );
    }
}

#[tokio::test]
async fn clients_that_probe_resources_and_prompts_get_empty_lists() {
    let client = echo();
    for (method, member) in [
        ("resources/list", "resources"),
        ("resources/templates/list", "resourceTemplates"),
        ("prompts/list", "prompts"),
    ] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}"}}"#);
        assert_eq!(
            client.post(BOTH, &body).await.json()["result"],
            json!({ member: [] })
        );
    }
}

#[tokio::test]
async fn tools_are_listed_as_the_version_knows_them() {
    let client = echo();
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#;
    for (version, titled) in [
        ("2025-03-26", false),
        ("2025-06-18", true),
        ("2025-11-25", true),
    ] {
        let heard = client
            .post(&[("mcp-protocol-version", version)], list)
            .await;
        assert_eq!(
            heard.json()["result"]["tools"][0].get("title").is_some(),
            titled,
            "{version}"
        );
    }
    assert_eq!(
        client.post(BOTH, list).await.json()["result"]["tools"][0].get("title"),
        None
    );
}

#[tokio::test]
async fn a_version_header_that_names_none_is_refused_in_the_words_of_the_older_era() {
    let list = r#"{"jsonrpc":"2.0","id":"p","method":"tools/list"}"#;
    for header in ["x", "2025-12-01", "1.0"] {
        let heard = echo().post(&[("mcp-protocol-version", header)], list).await;
        assert_eq!(heard.error(), (400, -32600, json!("p")), "{header}");
    }
}
