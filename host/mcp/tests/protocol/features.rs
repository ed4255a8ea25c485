//! Resources, prompts, completions and logs, in both eras.

use airlock_mcp::{
    CallError, CallResult, Catalog, Completion, End, Level, Offers, PromptResult, Questions,
    ReadResult, Reference,
};
use serde_json::{Value, json};

use crate::fixture::{BOTH, Client, Fake, Heard, call, client, initialize, raw};

const ALL: Offers = Offers {
    resources: true,
    prompts: true,
    completions: true,
    logging: true,
};

fn rich() -> Client {
    let mut server = Fake::new(|call| {
        Box::pin(async move {
            call.context.log.send(Level::Info, None, &raw("\"said\""));
            Ok(CallResult::text("done").into())
        })
    });
    server.offers = ALL;
    let resource = r#"{"uri":"a:b","name":"b","title":"B","icons":[]}"#;
    let template = r#"{"uriTemplate":"a:{x}","name":"x"}"#;
    let prompt = r#"{"name":"greet","title":"Greet","arguments":[]}"#;
    server.catalog =
        Catalog::new(&[raw(resource)], &[raw(template)], &[raw(prompt)]).expect("a catalog");
    server.read = Box::new(|read| {
        Box::pin(async move {
            match read.uri.as_str() {
                "a:b" => Ok(End::Complete(ReadResult {
                    contents: vec![raw(r#"{"uri":"a:b","text":"B"}"#)],
                    meta: None,
                })),
                "a:secret" if read.answers.is_none() => Ok(End::InputRequired(Questions {
                    requests: raw("{}"),
                    state: b"s".to_vec(),
                })),
                "a:secret" => Ok(End::Complete(ReadResult::default())),
                _ => Err(CallError::Unknown),
            }
        })
    });
    server.prompt = Box::new(|prompt| {
        Box::pin(async move {
            match prompt.name.as_str() {
                "greet" => Ok(End::Complete(PromptResult {
                    description: Some("A greeting".to_owned()),
                    messages: vec![raw(prompt.arguments.get())],
                    meta: Some(raw(r#"{"k":1}"#)),
                })),
                "broken" => Err(CallError::InvalidArguments("x is missing".to_owned())),
                _ => Err(CallError::Unknown),
            }
        })
    });
    server.complete = Box::new(|complete| {
        Box::pin(async move {
            match &complete.reference {
                Reference::Prompt(name) if name == "greet" => Ok(Completion {
                    values: (0..150)
                        .map(|it| format!("{}{it}", complete.value))
                        .collect(),
                    total: Some(150),
                    has_more: false,
                }),
                Reference::Resource(_) => Ok(Completion {
                    values: vec![format!("{} {}", complete.argument, complete.known)],
                    total: None,
                    has_more: false,
                }),
                Reference::Prompt(_) => Err(CallError::Unknown),
            }
        })
    });
    server.client()
}

/// The same request in an older version.
async fn older(client: &Client, version: &str, method: &str, params: Value) -> Heard {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    client
        .post(
            &[BOTH[0], ("mcp-protocol-version", version)],
            &body.to_string(),
        )
        .await
}

#[tokio::test]
async fn what_is_offered_is_declared_and_nothing_else() {
    let heard = rich().modern("server/discover", json!({})).await;
    let declared =
        json!({"tools": {}, "resources": {}, "prompts": {}, "completions": {}, "logging": {}});
    assert_eq!(heard.json()["result"]["capabilities"], declared);
    let heard = rich().post(BOTH, &initialize("2025-11-25", "test")).await;
    assert_eq!(heard.json()["result"]["capabilities"], declared);
}

#[tokio::test]
async fn lists_are_cut_to_what_a_version_knows() {
    let client = rich();
    let heard = client.modern("resources/list", json!({})).await;
    let result = &heard.json()["result"];
    assert_eq!(
        result["resources"][0],
        json!({"uri": "a:b", "name": "b", "title": "B", "icons": []})
    );
    assert_eq!(
        (&result["resultType"], &result["ttlMs"]),
        (&json!("complete"), &json!(60_000))
    );
    let heard = older(&client, "2025-03-26", "resources/list", json!({})).await;
    assert_eq!(
        heard.json()["result"],
        json!({"resources": [{"uri": "a:b", "name": "b"}]})
    );
    for (method, member) in [
        ("resources/templates/list", "resourceTemplates"),
        ("prompts/list", "prompts"),
    ] {
        for heard in [
            client.modern(method, json!({})).await,
            older(&client, "2025-11-25", method, json!({})).await,
        ] {
            let result = &heard.json()["result"];
            assert_eq!(
                result[member].as_array().map(Vec::len),
                Some(1),
                "{}",
                heard.text
            );
        }
    }
}

#[tokio::test]
async fn a_resource_is_read() {
    let client = rich();
    let heard = client.modern("resources/read", json!({"uri": "a:b"})).await;
    let result = &heard.json()["result"];
    assert_eq!(result["contents"], json!([{"uri": "a:b", "text": "B"}]));
    assert_eq!(
        (&result["ttlMs"], &result["cacheScope"]),
        (&json!(0), &json!("private"))
    );
    let heard = older(
        &client,
        "2025-06-18",
        "resources/read",
        json!({"uri": "a:b"}),
    )
    .await;
    assert_eq!(
        heard.json()["result"],
        json!({"contents": [{"uri": "a:b", "text": "B"}]})
    );
}

#[tokio::test]
async fn a_resource_that_is_not_there_has_the_code_of_its_era() {
    let client = rich();
    for (heard, code) in [
        (
            client.modern("resources/read", json!({"uri": "no"})).await,
            -32602,
        ),
        (
            older(
                &client,
                "2025-11-25",
                "resources/read",
                json!({"uri": "no"}),
            )
            .await,
            -32002,
        ),
    ] {
        assert_eq!(heard.error(), (200, code, json!(1)));
        assert_eq!(heard.json()["error"]["data"], json!({"uri": "no"}));
    }
}

#[tokio::test]
async fn a_read_may_have_to_ask_first() {
    let client = rich();
    let heard = client
        .modern("resources/read", json!({"uri": "a:secret"}))
        .await;
    let asked = &heard.json()["result"];
    assert_eq!(asked["resultType"], "input_required");
    let again = json!({"uri": "a:secret", "requestState": asked["requestState"]});
    let heard = client.modern("resources/read", again).await;
    assert_eq!(heard.json()["result"]["contents"], json!([]));
}

#[tokio::test]
async fn a_prompt_is_filled_in() {
    let client = rich();
    let params = json!({"name": "greet", "arguments": {"who": "Ada"}});
    let heard = client.modern("prompts/get", params.clone()).await;
    let result = &heard.json()["result"];
    assert_eq!(result["messages"], json!([{"who": "Ada"}]));
    assert_eq!(
        (&result["_meta"]["k"], &result["resultType"]),
        (&json!(1), &json!("complete"))
    );
    let heard = older(&client, "2025-06-18", "prompts/get", params).await;
    assert_eq!(
        heard.json()["result"],
        json!({"description": "A greeting", "messages": [{"who": "Ada"}], "_meta": {"k": 1}})
    );
    for name in ["none", "broken"] {
        let heard = client.modern("prompts/get", json!({"name": name})).await;
        assert_eq!(heard.error(), (200, -32602, json!(1)), "{name}");
    }
}

#[tokio::test]
async fn completions_are_the_first_hundred() {
    let client = rich();
    let params = json!({"ref": {"type": "ref/prompt", "name": "greet"}, "argument": {"name": "who", "value": "A"}});
    for heard in [
        client.modern("completion/complete", params.clone()).await,
        older(&client, "2025-03-26", "completion/complete", params).await,
    ] {
        let completion = &heard.json()["result"]["completion"];
        assert_eq!(completion["values"].as_array().map(Vec::len), Some(100));
        assert_eq!(
            (&completion["total"], &completion["hasMore"]),
            (&json!(150), &json!(true))
        );
    }
    let params = json!({"ref": {"type": "ref/resource", "uri": "a:{x}"}, "argument": {"name": "x", "value": ""},
        "context": {"arguments": {"y": "1"}}});
    let heard = client.modern("completion/complete", params).await;
    assert_eq!(
        heard.json()["result"]["completion"]["values"],
        json!([r#"x {"y":"1"}"#])
    );
}

#[tokio::test]
async fn a_completion_of_nothing_is_refused() {
    let client = rich();
    let argument = json!({"name": "x", "value": ""});
    for params in [
        json!({}),
        json!({"ref": {"type": "ref/prompt", "name": "none"}, "argument": argument}),
        json!({"ref": {"type": "ref/wing", "name": "greet"}, "argument": argument}),
        json!({"ref": {"type": "ref/prompt"}, "argument": argument}),
        json!({"ref": {"type": "ref/prompt", "name": "greet"}, "argument": {"name": "x"}}),
        json!({"ref": {"type": "ref/prompt", "name": "greet"}, "argument": argument, "context": 7}),
    ] {
        let heard = client.modern("completion/complete", params.clone()).await;
        assert_eq!(heard.error(), (200, -32602, json!(1)), "{params}");
    }
}

#[tokio::test]
async fn what_is_not_offered_is_an_unknown_method() {
    let client = client(|_| Box::pin(async { Ok(CallResult::text("").into()) }));
    for method in [
        "resources/read",
        "resources/subscribe",
        "prompts/get",
        "completion/complete",
        "logging/setLevel",
    ] {
        let heard = older(
            &client,
            "2025-11-25",
            method,
            json!({"uri": "a", "name": "a"}),
        )
        .await;
        assert_eq!(heard.error(), (200, -32601, json!(1)), "{method}");
    }
}

#[tokio::test]
async fn a_session_hears_the_log_from_the_level_it_set() {
    let client = rich();
    let session = client.session("2025-11-25").await;
    let headers = [BOTH[0], ("mcp-session-id", session.as_str())];
    let set = |level: &str| {
        json!({"jsonrpc": "2.0", "id": 1, "method": "logging/setLevel", "params": {"level": level}})
            .to_string()
    };
    assert!(
        !client.post(&headers, &call("1", "")).await.is_stream(),
        "it never asked"
    );
    assert_eq!(
        client.post(&headers, &set("debug")).await.json()["result"],
        json!({})
    );
    let heard = client.post(&headers, &call("1", "")).await;
    assert_eq!(
        heard.events()[0]["params"],
        json!({"level": "info", "data": "said"})
    );
    client.post(&headers, &set("warning")).await;
    assert!(!client.post(&headers, &call("1", "")).await.is_stream());
    assert_eq!(client.post(&headers, &set("loud")).await.error().1, -32602);
    // Who reads JSON alone hears nothing, and is answered.
    client.post(&headers, &set("debug")).await;
    let json = [("accept", "application/json"), headers[1]];
    assert_eq!(client.post(&json, &call("1", "")).await.json()["id"], 1);
}
