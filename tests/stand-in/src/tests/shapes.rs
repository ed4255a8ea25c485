//! Success in every mode, event by event and key by key.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::client::{get, post};
use crate::{Options, SampleApp, StandIn};

const NODE_STARTED: &str = "id node_id node_type title index predecessor_node_id inputs inputs_truncated created_at extras \
                            iteration_id loop_id agent_strategy";
const NODE_FINISHED: &str = "id node_id node_type title index predecessor_node_id inputs inputs_truncated process_data \
                             process_data_truncated outputs outputs_truncated status error elapsed_time execution_metadata \
                             created_at finished_at files iteration_id loop_id";
const WORKFLOW_FINISHED: &str = "id workflow_id status outputs error elapsed_time total_tokens total_steps created_by \
                                 created_at finished_at exceptions_count files";
const AGENT_THOUGHT: &str = "event conversation_id message_id created_at task_id id position thought observation tool \
                             tool_labels tool_input message_files";

fn keys(value: &Value) -> String {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" ")
}

fn names(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect()
}

/// The names with repetitions of one event made one.
fn order(events: &[Value]) -> Vec<&str> {
    let mut names = names(events);
    names.dedup();
    names
}

fn text(events: &[Value]) -> String {
    events
        .iter()
        .filter_map(|event| event["answer"].as_str())
        .collect()
}

fn report(mode: &str) -> Value {
    let inputs = json!({"title": "Week 7", "notes": "Shipped it\n\nFixed a bug\nRested", "audience": "team", "highlights": 2,
                        "urgent": true, "layout": {"heading": "Done"}});
    json!({"inputs": inputs, "response_mode": mode, "user": "u1"})
}

#[tokio::test]
async fn a_workflow_streams_as_recorded() {
    let dify = StandIn::start(Options::instant()).await.unwrap();
    let reply = post(
        &dify,
        SampleApp::WeeklyReport,
        "/v1/workflows/run",
        &report("streaming"),
    )
    .await;
    assert_eq!(reply.status, 200);
    for (name, value) in [
        ("server", "gunicorn"),
        ("content-type", "text/event-stream; charset=utf-8"),
        ("transfer-encoding", "chunked"),
        ("x-version", "1.14.2"),
        ("x-env", "PRODUCTION"),
        ("access-control-allow-origin", "*"),
        ("vary", "Cookie"),
    ] {
        assert_eq!(reply.headers[name], value, "{name}");
    }
    let chunks = reply.chunks().await;
    assert_eq!(chunks[0], "event: ping\n\n");
    let start = r#"data: {"event":"workflow_started","workflow_run_id":""#;
    assert!(chunks[1].starts_with(start), "{}", chunks[1]);

    let events = post(
        &dify,
        SampleApp::WeeklyReport,
        "/v1/workflows/run",
        &report("streaming"),
    )
    .await
    .events()
    .await;
    assert_eq!(
        names(&events),
        [
            "workflow_started",
            "node_started",
            "node_finished",
            "node_started",
            "node_finished",
            "node_started",
            "node_finished",
            "node_started",
            "text_chunk",
            "node_finished",
            "node_started",
            "node_finished",
            "node_started",
            "node_finished",
            "workflow_finished",
        ]
    );
    for event in &events {
        assert_eq!(keys(event), "event workflow_run_id task_id data");
        let data = keys(&event["data"]);
        match event["event"].as_str().unwrap() {
            "workflow_started" => assert_eq!(data, "id workflow_id inputs created_at reason"),
            "node_started" => assert_eq!(data, NODE_STARTED),
            "node_finished" => assert_eq!(data, NODE_FINISHED),
            "text_chunk" => assert_eq!(data, "text from_variable_selector"),
            "workflow_finished" => assert_eq!(data, WORKFLOW_FINISHED),
            other => panic!("unexpected {other}"),
        }
    }
    let outputs = &events.last().unwrap()["data"]["outputs"];
    let text = "# Week 7 (urgent)\n\nFor: team\n\n## Done\n- Shipped it\n- Fixed a bug\n";
    assert_eq!(
        *outputs,
        json!({"report": text, "title": "Week 7", "audience": "team", "highlights": ["Shipped it", "Fixed a bug"],
               "urgent": true, "layout": {"heading": "Done"}})
    );
}

#[tokio::test]
async fn every_event_is_an_http_chunk_of_its_own() {
    let dify = StandIn::start(Options::instant()).await.unwrap();
    let url = dify.url();
    let address = url.trim_start_matches("http://").trim_end_matches("/v1");
    let mut connection = TcpStream::connect(address).await.unwrap();
    let body = report("streaming").to_string();
    let request = format!(
        "POST /v1/workflows/run HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nContent-Type: \
         application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        dify.key(SampleApp::WeeklyReport),
        body.len()
    );
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut wire = String::new();
    connection.read_to_string(&mut wire).await.unwrap();
    let (head, mut body) = wire.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("\r\nServer: gunicorn\r\n"), "{head}");
    let mut chunks = Vec::new();
    loop {
        let (size, rest) = body.split_once("\r\n").unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            break;
        }
        chunks.push(&rest[..size]);
        body = &rest[size + 2..];
    }
    // The ping and the fifteen events of the workflow.
    assert_eq!(chunks.len(), 16);
    assert!(
        chunks
            .iter()
            .all(|chunk| chunk.ends_with("\n\n") && chunk.matches("\n\n").count() == 1),
        "{chunks:?}"
    );
}

#[tokio::test]
async fn a_chatflow_speaks_before_its_first_node_starts() {
    let dify = StandIn::start(Options::instant()).await.unwrap();
    let body =
        json!({"inputs": {}, "query": "Where is it?", "response_mode": "streaming", "user": "u1"});
    let events = post(&dify, SampleApp::SupportDesk, "/v1/chat-messages", &body)
        .await
        .events()
        .await;
    assert_eq!(
        order(&events),
        [
            "workflow_started",
            "message",
            "node_started",
            "node_finished",
            "node_started",
            "node_finished",
            "node_started",
            "message",
            "node_finished",
            "node_started",
            "node_finished",
            "message_end",
            "workflow_finished",
        ]
    );
    for event in &events {
        let common = "event conversation_id message_id created_at task_id";
        match event["event"].as_str().unwrap() {
            "message" => assert_eq!(
                keys(event),
                format!("{common} id answer from_variable_selector")
            ),
            "message_end" => {
                assert_eq!(keys(event), format!("{common} id metadata files"));
                assert_eq!(
                    keys(&event["metadata"]),
                    "annotation_reply retriever_resources usage"
                );
                assert_eq!(event["files"], json!([]));
            }
            _ => assert_eq!(keys(event), format!("{common} workflow_run_id data")),
        }
    }
    let said = "You asked: Where is it?\nOrder unknown, answered in a plain tone (turn 1).";
    assert_eq!(text(&events), said);
    assert_eq!(
        events.last().unwrap()["data"]["outputs"],
        json!({"answer": said, "files": []})
    );
}

#[tokio::test]
async fn a_chat_streams_deltas_and_remembers_its_turns() {
    let dify = StandIn::start(Options::instant()).await.unwrap();
    let mut body = json!({"inputs": {"topic": "Lisbon", "style": "detailed"}, "query": "What to pack?",
                          "response_mode": "streaming", "user": "u1"});
    let events = post(&dify, SampleApp::TravelChat, "/v1/chat-messages", &body)
        .await
        .events()
        .await;
    assert_eq!(order(&events), ["message", "message_end"]);
    let common = "event conversation_id message_id created_at task_id id";
    assert_eq!(
        keys(&events[0]),
        format!("{common} answer from_variable_selector")
    );
    assert_eq!(events[0]["from_variable_selector"], Value::Null);
    let end = events.last().unwrap();
    assert_eq!(keys(end), format!("{common} metadata files"));
    assert_eq!(end["files"], Value::Null);
    assert_eq!(
        text(&events),
        r#"About Lisbon: you asked "What to pack?" (style: detailed, turn 1)."#
    );

    body["conversation_id"] = end["conversation_id"].clone();
    let events = post(&dify, SampleApp::TravelChat, "/v1/chat-messages", &body)
        .await
        .events()
        .await;
    assert!(text(&events).ends_with("turn 2)."), "{}", text(&events));
    assert_eq!(events[0]["conversation_id"], body["conversation_id"]);
}

#[tokio::test]
async fn an_agent_repeats_its_thoughts_under_one_id() {
    let dify = StandIn::start(Options::instant()).await.unwrap();
    let body =
        json!({"inputs": {}, "query": "one two three", "response_mode": "streaming", "user": "u1"});
    let events = post(&dify, SampleApp::WordCounter, "/v1/chat-messages", &body)
        .await
        .events()
        .await;
    assert_eq!(
        order(&events),
        [
            "agent_thought",
            "agent_message",
            "agent_thought",
            "agent_message",
            "agent_thought",
            "message_end"
        ]
    );
    let thoughts: Vec<&Value> = events
        .iter()
        .filter(|event| event["event"] == "agent_thought")
        .collect();
    for thought in &thoughts {
        assert_eq!(keys(thought), AGENT_THOUGHT);
    }
    let summary: Vec<_> = thoughts
        .iter()
        .map(|thought| {
            (
                &thought["position"],
                &thought["tool"],
                &thought["observation"],
            )
        })
        .collect();
    let (tool, seen) = (json!("count_text"), json!(r#"{"count_text": "3 words"}"#));
    let empty = json!("");
    assert_eq!(
        summary,
        [
            (&json!(1), &empty, &empty),
            (&json!(1), &tool, &empty),
            (&json!(1), &tool, &seen),
            (&json!(2), &empty, &empty),
            (&json!(2), &empty, &empty),
        ]
    );
    let ids: Vec<_> = thoughts.iter().map(|thought| &thought["id"]).collect();
    assert!(
        ids[0] == ids[1] && ids[1] == ids[2] && ids[3] == ids[4] && ids[2] != ids[3],
        "{ids:?}"
    );
    assert_eq!(thoughts[4]["thought"], "The message has 3 words (turn 1).");
    let delta = events
        .iter()
        .find(|event| event["event"] == "agent_message")
        .unwrap();
    assert_eq!(
        keys(delta),
        "event conversation_id message_id created_at task_id id answer"
    );
    assert_eq!(
        text(&events),
        "I will count that. The message has 3 words (turn 1)."
    );
}

#[tokio::test]
async fn a_completion_has_no_conversation() {
    let dify = StandIn::start(Options::instant()).await.unwrap();
    let inputs = json!({"query": "a red bicycle", "language": "Deutsch", "max_words": 12});
    let body = json!({"inputs": inputs, "response_mode": "streaming", "user": "u1"});
    let events = post(
        &dify,
        SampleApp::ProductBlurb,
        "/v1/completion-messages",
        &body,
    )
    .await
    .events()
    .await;
    assert_eq!(order(&events), ["message", "message_end"]);
    assert_eq!(
        keys(&events[0]),
        "event message_id created_at task_id id answer from_variable_selector"
    );
    assert_eq!(
        text(&events),
        "A blurb for a red bicycle (language: Deutsch, most words: 12)."
    );
}

#[tokio::test]
async fn blocking_answers_in_one_piece() {
    let dify = StandIn::start(Options::instant()).await.unwrap();
    let mut body = report("blocking");
    let reply = post(&dify, SampleApp::WeeklyReport, "/v1/workflows/run", &body).await;
    assert_eq!(
        reply.headers["content-type"],
        "application/json; charset=utf-8"
    );
    let whole = reply.json().await;
    assert_eq!(keys(&whole), "task_id workflow_run_id data");
    assert_eq!(
        keys(&whole["data"]),
        "id workflow_id status outputs error elapsed_time total_tokens total_steps created_at finished_at"
    );
    // Left out means blocking too.
    body.as_object_mut().unwrap().remove("response_mode");
    let whole = post(&dify, SampleApp::WeeklyReport, "/v1/workflows/run", &body)
        .await
        .json()
        .await;
    assert_eq!(whole["data"]["status"], "succeeded");

    let body = json!({"inputs": {"topic": "Rome"}, "query": "Why?", "response_mode": "blocking", "user": "u1"});
    let whole = post(&dify, SampleApp::TravelChat, "/v1/chat-messages", &body)
        .await
        .json()
        .await;
    assert_eq!(
        keys(&whole),
        "event task_id id message_id conversation_id mode answer metadata created_at"
    );
    let body = json!({"inputs": {"query": "soap"}, "response_mode": "blocking", "user": "u1"});
    let whole = post(
        &dify,
        SampleApp::ProductBlurb,
        "/v1/completion-messages",
        &body,
    )
    .await
    .json()
    .await;
    assert_eq!(
        keys(&whole),
        "event task_id id message_id mode answer metadata created_at"
    );
}

#[tokio::test]
async fn apps_describe_themselves_as_recorded() {
    let dify = StandIn::start(Options::instant()).await.unwrap();
    for app in SampleApp::ALL {
        let info = get(&dify, app, "/v1/info").await.json().await;
        assert_eq!(keys(&info), "name description tags mode author_name");
        assert_eq!(info["mode"], app.mode().name());
        let parameters = get(&dify, app, "/v1/parameters").await.json().await;
        assert_eq!(
            keys(&parameters),
            "opening_statement suggested_questions suggested_questions_after_answer speech_to_text text_to_speech \
             retriever_resource annotation_reply more_like_this user_input_form sensitive_word_avoidance file_upload \
             system_parameters"
        );
        assert_eq!(
            keys(&get(&dify, app, "/v1/meta").await.json().await),
            "tool_icons"
        );
        assert_eq!(
            get(&dify, app, "/v1/site").await.json().await["title"],
            app.name()
        );
    }
    let parameters = get(&dify, SampleApp::WeeklyReport, "/v1/parameters")
        .await
        .json()
        .await;
    let layout = &parameters["user_input_form"][5]["json_object"];
    let schema: Value = serde_json::from_str(layout["json_schema"].as_str().unwrap()).unwrap();
    assert_eq!(schema["properties"]["bullet"]["enum"], json!(["-", "*"]));
}
