//! Calls that have to ask something first, in both eras.

use std::time::Duration;

use airlock_mcp::{CallResult, End, Questions};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::fixture::{BOTH, Client, Fake, call, client, hear, raw};

pub(crate) const NAME: &str = r#"{"method":"elicitation/create","params":{"message":"Who?","requestedSchema":{"type":"object"}}}"#;

/// A tool that asks for a name, and says it with what it had to remember.
fn curious() -> Client {
    asking(&format!(r#"{{"who":{NAME}}}"#), b"kept")
}

/// A tool that asks this once.
fn asking(requests: &str, state: &'static [u8]) -> Client {
    let requests = requests.to_owned();
    client(move |call| {
        let questions = Questions {
            requests: raw(&requests),
            state: state.to_vec(),
        };
        Box::pin(async move {
            Ok(match call.answers {
                None => End::InputRequired(questions),
                Some(answers) => {
                    let state = String::from_utf8(answers.state).expect("UTF-8");
                    CallResult::text(&format!("{} {state}", answers.responses)).into()
                }
            })
        })
    })
}

fn able(capabilities: Value, more: Value) -> Value {
    let mut params = json!({"name": "run", "arguments": {"a": 1}});
    params["_meta"] = json!({"io.modelcontextprotocol/clientCapabilities": capabilities});
    for (name, value) in more.as_object().expect("an object") {
        params[name] = value.clone();
    }
    params
}

fn elicits(more: Value) -> Value {
    able(json!({"elicitation": {}}), more)
}

#[tokio::test]
async fn a_question_is_a_result_and_its_answer_a_second_request() {
    let client = curious();
    let heard = client.modern("tools/call", elicits(json!({}))).await;
    let asked = &heard.json()["result"];
    assert_eq!(asked["resultType"], "input_required");
    assert_eq!(
        asked["inputRequests"]["who"]["method"],
        "elicitation/create"
    );
    assert_eq!(
        asked["_meta"]["io.modelcontextprotocol/serverInfo"]["name"],
        "echo"
    );
    let state = asked["requestState"].as_str().expect("a state");
    assert!(!state.contains("kept"));

    let responses = json!({"who": {"action": "accept", "content": {"name": "Ada"}}});
    let again = json!({"inputResponses": responses, "requestState": state});
    let heard = client.modern("tools/call", elicits(again)).await;
    let result = &heard.json()["result"];
    assert_eq!(result["resultType"], "complete");
    assert_eq!(
        result["content"][0]["text"],
        r#"{"who":{"action":"accept","content":{"name":"Ada"}}} kept"#
    );
}

#[tokio::test]
async fn a_state_that_was_changed_or_belongs_to_another_request_is_refused() {
    let client = curious();
    let heard = client.modern("tools/call", elicits(json!({}))).await;
    let state = heard.json()["result"]["requestState"]
        .as_str()
        .expect("a state")
        .to_owned();
    let responses = json!({"who": {"action": "decline"}});
    for more in [
        json!({"requestState": format!("{state}-TAMPERED"), "inputResponses": responses}),
        json!({"requestState": state, "inputResponses": responses, "arguments": {"a": 2}}),
        json!({"requestState": state, "inputResponses": responses, "name": "other"}),
        json!({"requestState": 7, "inputResponses": responses}),
        json!({"requestState": "", "inputResponses": responses}),
    ] {
        let heard = client.modern("tools/call", elicits(more.clone())).await;
        assert_eq!(heard.error(), (200, -32602, json!(1)), "{more}");
    }
    client
        .server
        .epoch
        .store(2, std::sync::atomic::Ordering::SeqCst);
    let more = json!({"requestState": state, "inputResponses": responses});
    let heard = client.modern("tools/call", elicits(more)).await;
    assert_eq!(
        heard.error().1,
        -32602,
        "the address has another secret since"
    );
}

#[tokio::test]
async fn a_state_outlives_the_server() {
    let client = curious();
    let heard = client.modern("tools/call", elicits(json!({}))).await;
    let state = heard.json()["result"]["requestState"].clone();
    let restarted = curious();
    let more = json!({"requestState": state, "inputResponses": {}});
    let heard = restarted.modern("tools/call", elicits(more)).await;
    assert_eq!(heard.json()["result"]["content"][0]["text"], "{} kept");
}

#[tokio::test]
async fn answers_that_are_none_never_reach_the_server() {
    let client = curious();
    for responses in [
        json!(null),
        json!([]),
        json!({"who": 12345}),
        json!({"who": null}),
    ] {
        let more = json!({"inputResponses": responses});
        let heard = client.modern("tools/call", elicits(more)).await;
        assert_eq!(heard.error(), (200, -32602, json!(1)), "{responses}");
    }
    // Answers to nothing are the server's to judge: a client may know the questions from before.
    let more = json!({"inputResponses": {"x": {}}});
    let heard = client.modern("tools/call", elicits(more)).await;
    assert_eq!(heard.json()["result"]["content"][0]["text"], r#"{"x":{}} "#);
}

#[tokio::test]
async fn nobody_is_asked_what_they_did_not_declare() {
    for (request, needed) in [
        (NAME, json!({"elicitation": {}})),
        (
            r#"{"method":"elicitation/create","params":{"mode":"url","url":"https://x"}}"#,
            json!({"elicitation": {"url": {}}}),
        ),
        (
            r#"{"method":"sampling/createMessage","params":{"messages":[]}}"#,
            json!({"sampling": {}}),
        ),
        (
            r#"{"method":"sampling/createMessage","params":{"tools":[]}}"#,
            json!({"sampling": {"tools": {}}}),
        ),
        (r#"{"method":"roots/list"}"#, json!({"roots": {}})),
    ] {
        let client = asking(&format!(r#"{{"k":{request}}}"#), b"");
        let heard = client
            .modern("tools/call", able(json!({}), json!({})))
            .await;
        assert_eq!(heard.error(), (400, -32021, json!(1)), "{request}");
        assert_eq!(
            heard.json()["error"]["data"]["requiredCapabilities"],
            needed
        );
        let heard = client.modern("tools/call", able(needed, json!({}))).await;
        let result = &heard.json()["result"];
        assert_eq!(result["resultType"], "input_required", "{request}");
        assert_eq!(
            result.get("requestState"),
            None,
            "there was nothing to remember"
        );
    }
}

#[tokio::test]
async fn questions_that_nobody_can_be_asked_are_the_servers_fault() {
    let many: Vec<_> = (0..17).map(|key| format!(r#""{key}":{NAME}"#)).collect();
    for requests in [
        "[]".to_owned(),
        r#"{"k":7}"#.to_owned(),
        r#"{"k":{"method":"ping"}}"#.to_owned(),
        format!("{{{}}}", many.join(",")),
    ] {
        let client = asking(&requests, b"");
        let heard = client.modern("tools/call", elicits(json!({}))).await;
        assert_eq!(heard.error(), (200, -32603, json!(1)), "{requests}");
        let session = client
            .session_with("2025-11-25", r#"{"elicitation":{}}"#)
            .await;
        let heard = client
            .post(&[BOTH[0], ("mcp-session-id", &session)], &call("1", ""))
            .await;
        assert_eq!(heard.json()["result"]["isError"], true, "{requests}");
    }
}

/// Reads events until one has this method; its id.
pub(crate) async fn asked(stream: &mut http::Response<airlock_mcp::Body>, method: &str) -> Value {
    loop {
        let frame = stream.body_mut().frame().await.expect("the stream goes on");
        let data = frame
            .expect("bodies do not fail")
            .into_data()
            .expect("data");
        for line in std::str::from_utf8(&data).expect("UTF-8").lines() {
            let message = line
                .strip_prefix("data: ")
                .map(serde_json::from_str::<Value>);
            if let Some(Ok(message)) = message
                && message["method"] == method
            {
                return message;
            }
        }
    }
}

#[tokio::test]
async fn an_older_client_is_asked_on_its_stream_and_answers_with_a_post() {
    let requests = format!(r#"{{"who":{NAME},"where":{{"method":"roots/list"}}}}"#);
    let client = asking(&requests, b"kept");
    let session = client
        .session_with(
            "2025-06-18",
            r#"{"elicitation":{},"roots":{"listChanged":true}}"#,
        )
        .await;
    let headers = [BOTH[0], ("mcp-session-id", session.as_str())];
    let mut stream = client.open(&headers, &call("1", "")).await;
    let question = asked(&mut stream, "elicitation/create").await;
    assert_eq!(question["params"]["message"], "Who?");
    let roots = asked(&mut stream, "roots/list").await;
    for (id, result) in [
        (&roots["id"], json!({"roots": []})),
        (&question["id"], json!({"action": "cancel"})),
    ] {
        let answer = json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string();
        assert_eq!(client.post(&headers, &answer).await.status, 202);
        assert_eq!(
            client.post(&headers, &answer).await.status,
            400,
            "it was answered"
        );
    }
    let answer = &hear(stream).await.events()[0];
    assert_eq!(
        answer["result"]["content"][0]["text"],
        r#"{"who":{"action":"cancel"},"where":{"roots":[]}} kept"#
    );
}

#[tokio::test]
async fn only_the_session_that_was_asked_can_answer() {
    let client = curious();
    let mine = client
        .session_with("2025-11-25", r#"{"elicitation":{}}"#)
        .await;
    let other = client
        .session_with("2025-11-25", r#"{"elicitation":{}}"#)
        .await;
    let mut stream = client
        .open(&[BOTH[0], ("mcp-session-id", &mine)], &call("1", ""))
        .await;
    let id = asked(&mut stream, "elicitation/create").await["id"].clone();
    assert!(id.as_str().is_some_and(|id| id.len() == 22));
    let answer = json!({"jsonrpc": "2.0", "id": id, "result": {}}).to_string();
    assert_eq!(
        client
            .post(&[("mcp-session-id", &other)], &answer)
            .await
            .status,
        400
    );
    assert_eq!(client.post(&[], &answer).await.status, 400);
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(127), "]".repeat(127));
    for strange in ["null", "7", "[]", &deep] {
        let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{strange}}}"#);
        let heard = client.post(&[("mcp-session-id", &mine)], &answer).await;
        assert_eq!(heard.error().0, 400, "{strange}");
    }
    assert_eq!(
        client
            .post(&[("mcp-session-id", &mine)], &answer)
            .await
            .status,
        202
    );
}

#[tokio::test]
async fn an_error_in_answer_ends_the_call_in_words() {
    let client = curious();
    let session = client
        .session_with("2025-11-25", r#"{"elicitation":{}}"#)
        .await;
    let headers = [BOTH[0], ("mcp-session-id", session.as_str())];
    let mut stream = client.open(&headers, &call("1", "")).await;
    let id = asked(&mut stream, "elicitation/create").await["id"].clone();
    let answer = json!({"jsonrpc": "2.0", "id": id, "error": {"code": -1, "message": "no"}});
    assert_eq!(client.post(&headers, &answer.to_string()).await.status, 202);
    let answer = &hear(stream).await.events()[0];
    assert_eq!(answer["result"]["isError"], true);
}

#[tokio::test(start_paused = true)]
async fn a_question_that_nobody_answers_ends_the_call_in_words() {
    let client = curious();
    let session = client
        .session_with("2025-11-25", r#"{"elicitation":{}}"#)
        .await;
    let start = tokio::time::Instant::now();
    let heard = client
        .post(&[BOTH[0], ("mcp-session-id", &session)], &call("1", ""))
        .await;
    assert_eq!(start.elapsed(), Duration::from_secs(15 * 60));
    let answer = heard.events().pop().expect("an answer");
    let text = answer["result"]["content"][0]["text"]
        .as_str()
        .expect("text")
        .to_owned();
    assert!(text.contains("not answered in time"), "{text}");
}

#[tokio::test]
async fn who_cannot_be_asked_reads_why_the_tool_failed() {
    let client = curious();
    let deaf = client.session_with("2025-11-25", "{}").await;
    let old = client
        .session_with("2025-03-26", r#"{"elicitation":{}}"#)
        .await;
    let able = client
        .session_with("2025-11-25", r#"{"elicitation":{}}"#)
        .await;
    let json = ("accept", "application/json");
    let cases: [&[(&str, &str)]; 4] = [
        &[BOTH[0]],
        &[BOTH[0], ("mcp-session-id", &deaf)],
        &[BOTH[0], ("mcp-session-id", &old)],
        &[json, ("mcp-session-id", &able)],
    ];
    for headers in cases {
        let heard = client.post(headers, &call("1", "")).await;
        let result = &heard.json()["result"];
        assert_eq!(result["isError"], true, "{headers:?}");
    }
}

#[tokio::test]
async fn a_server_that_never_stops_asking_is_stopped() {
    let server = Fake::new(|_| {
        Box::pin(async {
            Ok(End::InputRequired(Questions {
                requests: raw("{}"),
                state: Vec::new(),
            }))
        })
    });
    let client = server.client();
    let session = client.session_with("2025-11-25", "{}").await;
    let heard = client
        .post(&[BOTH[0], ("mcp-session-id", &session)], &call("1", ""))
        .await;
    assert_eq!(heard.json()["result"]["isError"], true);
    let heard = client.modern("tools/call", elicits(json!({}))).await;
    assert!(heard.json()["result"]["requestState"].is_string());
}
