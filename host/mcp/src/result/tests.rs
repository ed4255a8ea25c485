use super::*;
use crate::{PromptResult, fake::Fake};

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).expect("a test's JSON")
}

const SERVER: Fake = Fake {
    app: "app",
    epoch: 1,
};

fn to(version: Version) -> To<'static> {
    To {
        id: "1",
        version,
        server: &SERVER,
    }
}

fn sent(result: &CallResult, version: Version) -> String {
    let body = body(&to(version), &Ended::Call(result.clone()));
    String::from_utf8(body).expect("UTF-8")
}

#[test]
fn what_a_tool_wrote_reaches_the_newest_as_it_is() {
    let result = CallResult {
        content: vec![raw(r#"{"z":1.0, "type":"text","text":"a"}"#)],
        structured: Some(raw(r#"{"b":1e400,"a":2}"#)),
        is_error: false,
        meta: Some(raw(r#"{"usage":{}}"#)),
    };
    assert_eq!(
        sent(&result, Version::V2025_11_25),
        r#"{"content":[{"z":1.0, "type":"text","text":"a"}],"structuredContent":{"b":1e400,"a":2},"isError":false,"_meta":{"usage":{}}}"#
    );
    assert!(!sent(&result, Version::V2025_03_26).contains("structuredContent"));
    assert_eq!(
        sent(&result, Version::V2026_07_28),
        concat!(
            r#"{"content":[{"z":1.0, "type":"text","text":"a"}],"structuredContent":{"b":1e400,"a":2},"isError":false,"#,
            r#""_meta":{"usage":{},"io.modelcontextprotocol/serverInfo":{"name":"fake","version":"1"}},"resultType":"complete"}"#
        )
    );
}

#[test]
fn structured_output_alone_is_mirrored_as_text_and_sent_only_as_an_object() {
    let result = CallResult {
        structured: Some(raw("[1]")),
        ..CallResult::default()
    };
    assert_eq!(
        sent(&result, Version::V2025_11_25),
        r#"{"content":[{"type":"text","text":"[1]"}],"isError":false}"#
    );
    assert!(sent(&result, Version::V2026_07_28).contains(r#""structuredContent":[1]"#));
}

#[test]
fn blocks_that_a_version_does_not_know_become_text() {
    let result = CallResult {
        content: vec![
            raw(r#"{"type":"resource_link","uri":"https://x/y","name":"y.pdf"}"#),
            raw(r#"{"type":"audio","data":"AA==","mimeType":"audio/wav"}"#),
        ],
        ..CallResult::default()
    };
    assert!(sent(&result, Version::V2025_06_18).contains("resource_link"));
    let old = sent(&result, Version::V2025_03_26);
    assert!(
        old.contains(r#"{"type":"text","text":"y.pdf: https://x/y"}"#) && old.contains("AA=="),
        "{old}"
    );
    assert!(sent(&result, Version::V2024_11_05).contains("[audio, audio/wav]"));
}

#[test]
fn messages_of_a_prompt_follow_their_version_too() {
    let link = r#"{"role":"user","content":{"type":"resource_link","uri":"a:b","name":"A"},"x":1}"#;
    let prompt = Ended::Prompt(PromptResult {
        messages: vec![raw(link), raw("7")],
        ..PromptResult::default()
    });
    let sent = |version| String::from_utf8(body(&to(version), &prompt)).expect("UTF-8");
    assert_eq!(
        sent(Version::V2025_06_18),
        format!(r#"{{"messages":[{link},7]}}"#)
    );
    assert_eq!(
        sent(Version::V2025_03_26),
        r#"{"messages":[{"role":"user","content":{"type":"text","text":"A: a:b"},"x":1},7]}"#
    );
}

#[test]
fn a_wrong_argument_is_a_tool_error_for_the_newest_and_a_protocol_error_before() {
    let ask = Ask::Call {
        tool: "t".to_owned(),
        arguments: raw("{}").into(),
    };
    let outcome = || Err(CallError::InvalidArguments("query is missing".to_owned()));
    let (_, new) = response(&to(Version::V2025_11_25), &ask, outcome());
    assert!(
        new.ends_with(br#""text":"query is missing"}],"isError":true}}"#),
        "{new:?}"
    );
    let (_, old) = response(&to(Version::V2025_06_18), &ask, outcome());
    assert!(
        old.ends_with(br#""error":{"code":-32602,"message":"Invalid params: query is missing"}}"#),
        "{old:?}"
    );
}
