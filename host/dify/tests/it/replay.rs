//! Recorded streams, served as they were, and what must come of them.

use airlock_dify::{Answer, Error, Event};
use serde_json::{Value, json};

use crate::recording::Recording;
use crate::server::{Server, json};

/// What a recording must come to.
enum Want {
    /// Status, text (up to a closing `…`, which stands for a signature), outputs.
    Answer(&'static str, &'static str, Value),
    /// The error's code, and words that the caller must find in it.
    Error(&'static str, &'static str),
}
use Want::{Answer as Ok_, Error as Err_};

const CHAT: &str = "chat";
const AGENT: &str = "agent-chat";
const CHATFLOW: &str = "advanced-chat";
const COMPLETION: &str = "completion";
const WORKFLOW: &str = "workflow";

#[rustfmt::skip]
fn wanted() -> Vec<(&'static str, &'static str, Want)> {
    let none = || json!({});
    let said = |text| Ok_("succeeded", text, json!({}));
    vec![
        ("agent-tool-error", AGENT, said("I will look that up. The tool said: tool invoke error: Failed to connect to MCP server: code=-32602 message='who is unknown' data=None")),
        ("agent-tool-image", AGENT, said("I will look that up. The tool said: seeimage has been created and sent to user already, you do not need to create it, just tell the user to check it now.resource text")),
        ("cap-chat-streaming-alone", CHAT, said("Echo: a b")),
        ("cap-wf2-second-stream", WORKFLOW, Ok_("succeeded", "200", json!({"status": 200}))),
        ("cap-wf2-third-stream", WORKFLOW, Ok_("succeeded", "200", json!({"status": 200}))),
        ("cf-convvar-2", CHATFLOW, said("Count 2, last two")),
        ("cf-file-out-pdf-streaming", CHATFLOW, said("Here it is: [f54182438fc448f281a53094b4b796d8.pdf](http://127.0.0.1:5001/files/tools/56540a70-dc28-4939-8354-76bfc96be450.pdf?…")),
        ("cf-file-out-streaming", CHATFLOW, said("Here it is: ![38691a081d0c48d5a75189b977752d05.png](http://127.0.0.1:5001/files/tools/8ebf82c7-ee13-4890-96e2-f3859d63f4d3.png?…")),
        ("cf-human-streaming", CHATFLOW, Ok_("paused", "Asking. ", none())),
        ("cf-image-local-streaming", CHATFLOW, said("You sent: ![a.png](http://127.0.0.1:5001/files/f753f1f7-5eb4-4836-9cb1-c5479661bded/file-preview?…")),
        ("cf-image-remote-streaming", CHATFLOW, said("You sent: ![a.png](http://127.0.0.1:8898/a.png)")),
        ("chat-slow-streaming", CHATFLOW, said("First part. Second part: 200")),
        ("chat-streaming-1", CHATFLOW, said("You said: hello (tone plain, turn 1)")),
        ("chat-streaming-3", CHATFLOW, said("You said: third (tone plain, turn 3)")),
        ("err-cf-image-early-stream-streaming", CHATFLOW, Err_("invalid_param", "File validation failed for file: a.pdf")),
        ("err-cf-no-provider-streaming", CHATFLOW, Err_("provider_not_initialize", "Provider local/none/none does not exist")),
        ("err-chat-unknown-conversation-stream", CHATFLOW, said("You said: x (tone plain, turn 1)")),
        ("err-llm-chat-model-fails-stream", CHAT, Err_("completion_request_error", "the model said no")),
        ("err-llm-chatflow-model-fails-stream", CHATFLOW, Err_("failed", "the model said no")),
        ("err-missing-required-stream", WORKFLOW, Err_("invalid_param", "title_text is required")),
        ("err-wf-no-provider-streaming", WORKFLOW, Err_("provider_not_initialize", "Provider local/none/none does not exist")),
        ("feat-chat-image-remote-streaming", CHAT, said("Echo: look")),
        ("human-streaming", WORKFLOW, Ok_("paused", "", none())),
        ("human4-streaming", WORKFLOW, Ok_("paused", "", none())),
        ("llm-agent-streaming", AGENT, said("I will look that up. The tool said: 2026-11-22 17:15:13")),
        ("llm-chat-streaming", CHAT, said("Echo: what is new in this world")),
        ("llm-chatflow-streaming", CHATFLOW, said("Echo: one two three four")),
        ("llm-completion-streaming", COMPLETION, said("Echo: Write about rust: wasm\n")),
        ("llm-workflow-streaming", WORKFLOW, Ok_("succeeded", "Echo: one two three", json!({"text": "Echo: one two three"}))),
        ("mod-cf_mod-input-eof", CHATFLOW, said("I cannot take that.")),
        ("mod-cf_mod-input-streaming", CHATFLOW, said("I cannot take that.")),
        ("mod-cf_modout-output-streaming", CHATFLOW, said("I cannot say that.")),
        ("mod-chat_mod-input-streaming", CHAT, said("I cannot take that.")),
        ("mod-chat_modout-output-streaming", CHAT, said("I cannot say that.")),
        ("stop-chat-stream", CHATFLOW, Err_("stopped", "stopped")),
        ("stop-iteration-stream", WORKFLOW, Err_("stopped", "stopped")),
        ("stop-workflow-other-user-stream", WORKFLOW, Err_("stopped", "stopped")),
        ("stop-workflow-stream", WORKFLOW, Err_("stopped", "stopped")),
        ("vision-chat-image-remote-streaming", CHAT, said("Echo: look")),
        ("wf-default-value-streaming", WORKFLOW, Ok_("partial-succeeded", "fallback", json!({"body": "fallback"}))),
        ("wf-fail-streaming", WORKFLOW, Err_("failed", "Connection refused")),
        ("wf-if-else-other-streaming", WORKFLOW, Ok_("succeeded", r#"{"path":"/sleep/50?other"}"#, json!({"result": r#"{"path":"/sleep/50?other"}"#}))),
        ("wf-if-else-streaming", WORKFLOW, Ok_("succeeded", r#"{"path":"/sleep/50?one"}"#, json!({"result": r#"{"path":"/sleep/50?one"}"#}))),
        ("wf-iter-empty-streaming", WORKFLOW, Ok_("succeeded", "", json!({"results": []}))),
        ("wf-iter-fails-streaming", WORKFLOW, Err_("failed", "Server disconnected without sending a response.")),
        ("wf-iter-parallel-streaming", WORKFLOW, Ok_("succeeded", "- {\"path\":\"/sleep/100\"}\n- {\"path\":\"/sleep/400\"}\n- {\"path\":\"/sleep/200\"}", json!({"results": ["{\"path\":\"/sleep/100\"}", "{\"path\":\"/sleep/400\"}", "{\"path\":\"/sleep/200\"}"]}))),
        ("wf-iter-streaming", WORKFLOW, Ok_("succeeded", "- {\"path\":\"/sleep/50\"}\n- {\"path\":\"/sleep/150\"}\n- {\"path\":\"/sleep/100\"}", json!({"results": ["{\"path\":\"/sleep/50\"}", "{\"path\":\"/sleep/150\"}", "{\"path\":\"/sleep/100\"}"]}))),
        ("wf-loop-streaming", WORKFLOW, Ok_("succeeded", "2", json!({"num": 2}))),
        ("wf-parallel-streaming", WORKFLOW, Ok_("succeeded", "200\n200", json!({"fast": 200, "slow": 200}))),
        ("wf-partial-streaming", WORKFLOW, Ok_("partial-succeeded", "[Errno 111] Connection refused", json!({"error_message": "[Errno 111] Connection refused"}))),
        ("wf-retry-streaming", WORKFLOW, Err_("failed", "Connection refused")),
        ("wf-run-streaming", WORKFLOW, Ok_("succeeded", "hello", json!({"query": "hello"}))),
        ("wf-slow-ping", WORKFLOW, Err_("timeout", "silent")),
        ("wf-slow-streaming", WORKFLOW, Ok_("succeeded", "{\"path\":\"/sleep/400\"}\n200", json!({"body": "{\"path\":\"/sleep/400\"}", "status": 200}))),
        ("wf-streaming-worker-down", WORKFLOW, Err_("timeout", "silent")),
        ("wf-two-ends-streaming", WORKFLOW, Ok_("succeeded", "200\n{\"path\":\"/sleep/200\"}200\n{\"path\":\"/sleep/400\"}", json!({"left": 200, "same": "{\"path\":\"/sleep/400\"}", "right": 200}))),
        ("wf-types-streaming", WORKFLOW, Ok_("succeeded", "T\nB\nen\n2.5\nTrue\n{\n  \"city\": \"Paris\",\n  \"limit\": 3\n}\n\n", json!({"title_text": "T", "body_text": "B", "lang": "en", "count": 2.5, "verbose": true, "cfg": {"city": "Paris", "limit": 3}, "doc": null, "docs": null}))),
    ]
}

/// Streams that are judged elsewhere: outputs full of file objects (`files_come_out_as_dify_describes_them`), and the one
/// that was cut when it was recorded (`a_large_workflow_passes_whole`).
const ELSEWHERE: [&str; 5] = [
    "file-use-streaming",
    "wf-big-streaming",
    "wf-file-list-out-streaming",
    "wf-file-out-pdf-streaming",
    "wf-file-out-streaming",
];

/// Recordings that end in a silence which nothing explains.
const SILENT: [&str; 2] = ["wf-slow-ping", "wf-streaming-worker-down"];

/// Every recording that is judged here.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    let table = wanted().into_iter().map(|(name, ..)| name);
    table.chain(ELSEWHERE)
}

/// Runs a recording; gives the outcome and every event.
pub(crate) async fn replay(
    name: &str,
    mode: &str,
    cut: usize,
    wire: bool,
) -> (Result<Answer, Error>, Vec<Event>) {
    let recording = Recording::read(name);
    let request = recording.run(mode);
    let (path, sent, named) = (
        recording.path.clone(),
        recording.request.clone(),
        name.to_owned(),
    );
    let server = Server::start(move |asked| {
        if asked.method == "GET" || asked.path.ends_with("/stop") {
            return json(
                "404 NOT FOUND",
                r#"{"code": "not_found", "message": "Workflow run not found.", "status": 404}"#,
            );
        }
        assert_eq!(asked.path, path, "{named}: Dify was asked at this door");
        for field in [
            "inputs",
            "query",
            "user",
            "files",
            "conversation_id",
            "response_mode",
        ] {
            assert_eq!(asked.body[field], sent[field], "{named}: {field}");
        }
        if wire {
            Recording::wire(&named, cut)
        } else {
            recording.reply(cut)
        }
    })
    .await;
    let config = if SILENT.contains(&name) {
        server.impatient()
    } else {
        server.config()
    };
    let mut run = match server.app_with(config).run(request).await {
        Ok(run) => run,
        Err(error) => return (Err(error), Vec::new()),
    };
    let mut events = Vec::new();
    loop {
        match run.next().await {
            Ok(Some(Event::Done(answer))) => return (Ok(*answer), events),
            Ok(Some(event)) => events.push(event),
            Ok(None) => panic!("{name}: no last event"),
            Err(error) => return (Err(error), events),
        }
    }
}

fn check(name: &str, want: &Want, got: &Result<Answer, Error>) {
    match (want, got) {
        (Ok_(status, text, outputs), Ok(answer)) => {
            assert_eq!(answer.status.as_str(), *status, "{name}");
            match text.strip_suffix('…') {
                Some(start) => assert!(answer.text.starts_with(start), "{name}: {}", answer.text),
                None => assert_eq!(answer.text, *text, "{name}"),
            }
            assert_eq!(Value::Object(answer.outputs.clone()), *outputs, "{name}");
            assert!(answer.task_id.is_some() && !answer.truncated, "{name}");
        }
        (Err_(code, words), Err(error)) => {
            assert_eq!(error.code(), *code, "{name}: {error:?}");
            assert!(error.caller().contains(words), "{name}: {}", error.caller());
        }
        (Ok_(..), Err(error)) => panic!("{name}: {error:?}"),
        (Err_(code, _), Ok(answer)) => panic!("{name}: {answer:?} and not {code}"),
    }
}

#[tokio::test]
async fn every_recorded_stream_comes_to_its_outcome_however_it_is_cut() {
    for (name, mode, want) in wanted() {
        for cut in [1, 7, usize::MAX] {
            let (got, _) = replay(name, mode, cut, false).await;
            check(name, &want, &got);
        }
    }
}

#[tokio::test]
async fn the_framing_as_it_stood_on_the_wire_comes_to_the_same() {
    for name in [
        "chat-streaming-1",
        "llm-chat-streaming",
        "wf-iter-streaming",
        "wf-run-streaming",
        "wf-slow-streaming",
    ] {
        let (_, mode, want) = wanted()
            .into_iter()
            .find(|(other, ..)| *other == name)
            .unwrap();
        for cut in [1, 7, usize::MAX] {
            let (got, _) = replay(name, mode, cut, true).await;
            check(name, &want, &got);
        }
    }
}

#[tokio::test]
async fn files_come_out_as_dify_describes_them() {
    for (name, mode, urls) in [
        ("agent-tool-image", AGENT, 1),
        ("cf-file-out-streaming", CHATFLOW, 1),
        ("cf-image-remote-streaming", CHATFLOW, 1),
        // The only file is the caller's own upload, which the app did not bring.
        ("feat-chat-image-remote-streaming", CHAT, 0),
        ("file-use-streaming", WORKFLOW, 1),
        ("wf-file-out-streaming", WORKFLOW, 2),
        ("wf-file-out-pdf-streaming", WORKFLOW, 2),
        ("wf-file-list-out-streaming", WORKFLOW, 2),
    ] {
        let answer = replay(name, mode, 100, false).await.0.unwrap();
        assert_eq!(answer.files.len(), urls, "{name}: {:?}", answer.files);
        assert!(
            answer
                .files
                .iter()
                .all(|file| file["url"].is_string() && file["filename"].is_string()),
            "{name}"
        );
    }
}

#[tokio::test]
async fn the_answer_carries_usage_and_conversation() {
    let chat = replay("llm-chat-streaming", CHAT, 100, false)
        .await
        .0
        .unwrap();
    assert!(chat.usage.unwrap()["total_tokens"].is_number());
    assert!(chat.conversation.is_some() && !chat.conversation_restarted);
    assert!(
        chat.extra.is_empty(),
        "empty lists and nulls are no news: {:?}",
        chat.extra
    );
    let workflow = replay("llm-workflow-streaming", WORKFLOW, 100, false)
        .await
        .0
        .unwrap();
    assert_eq!(workflow.usage.unwrap()["total_tokens"], 9);
    assert!(workflow.run_id.is_some() && workflow.conversation.is_none());
    let part = replay("wf-partial-streaming", WORKFLOW, 100, false)
        .await
        .0
        .unwrap();
    assert!(
        part.extra["note"]
            .as_str()
            .unwrap()
            .contains("error branch")
    );
    let restarted = replay("err-chat-unknown-conversation-stream", CHATFLOW, 100, false)
        .await
        .0
        .unwrap();
    assert!(
        restarted.conversation_restarted,
        "Dify began another conversation in silence"
    );
    assert!(
        !replay("chat-streaming-3", CHATFLOW, 100, false)
            .await
            .0
            .unwrap()
            .conversation_restarted
    );
}

#[tokio::test]
async fn nodes_and_rounds_are_told_as_they_come() {
    let told = |events: &[Event]| -> Vec<String> {
        let word = |event: &Event| match event {
            Event::Started => Some("started".to_owned()),
            Event::NodeStarted(node) => Some(format!("+{}", node.id)),
            Event::NodeFinished(node) => {
                Some(format!("-{} {}", node.id, node.status.clone().unwrap()))
            }
            Event::Round(round) if round.finished => Some("rounds over".to_owned()),
            Event::Round(round) => {
                Some(format!("round {} of {}", round.begun, round.total.unwrap()))
            }
            Event::Other { name, .. } => Some(name.clone()),
            Event::Text(_)
            | Event::Replace(_)
            | Event::Thought(_)
            | Event::File(_)
            | Event::Done(_) => None,
        };
        events.iter().filter_map(word).collect()
    };
    let (_, events) = replay("wf-iter-streaming", WORKFLOW, 100, false).await;
    let expected = "started,+start1,-start1 succeeded,round 0 of 3,round 1 of 3,+h1,-h1 succeeded,round 2 of 3,+h1,-h1 succeeded,\
                    round 3 of 3,+h1,-h1 succeeded,rounds over,+end1,-end1 succeeded";
    assert_eq!(told(&events).join(","), expected);
    let (_, events) = replay("wf-retry-streaming", WORKFLOW, 100, false).await;
    assert_eq!(
        told(&events).join(","),
        "started,+start1,-start1 succeeded,+h1,node_retry,node_retry,-h1 failed"
    );
    let (_, events) = replay("human-streaming", WORKFLOW, 100, false).await;
    assert!(
        !told(&events).contains(&"human_input_required".to_owned()),
        "what opens the form is in no event"
    );
    let (_, events) = replay("llm-agent-streaming", AGENT, 100, false).await;
    let thoughts: Vec<&str> = events
        .iter()
        .filter_map(|event| {
            if let Event::Thought(text) = event {
                Some(text.as_str())
            } else {
                None
            }
        })
        .collect();
    assert_eq!(
        thoughts,
        [
            "I will look that up. ",
            "The tool said: 2026-11-22 17:15:13"
        ]
    );
}

#[tokio::test]
async fn a_replaced_answer_is_told_as_replaced() {
    for (name, mode) in [
        ("mod-chat_modout-output-streaming", CHAT),
        ("mod-cf_modout-output-streaming", CHATFLOW),
    ] {
        let (answer, events) = replay(name, mode, 100, false).await;
        assert!(
            events
                .iter()
                .any(|event| matches!(event, Event::Replace(text) if text == "I cannot say that.")),
            "{name}"
        );
        assert!(
            !format!("{:?}", answer.unwrap()).contains("secretword"),
            "{name}: nothing forbidden is left in the answer"
        );
    }
}
