//! The answer of a call, in the words of the client's version.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::{
    CallError, Version,
    envelope::is_object,
    fault::{Fault, excerpt},
    reply::{self, ReplyTo},
};

/// What a tool came to, in the shape of 2025-11-25. Older versions get what they know of it.
#[derive(Clone, Debug, Default)]
pub struct CallResult {
    /// Content blocks. Where there are none, the text of `structured` stands in for them.
    pub content: Vec<Box<RawValue>>,
    /// `structuredContent`: sent from 2025-06-18 on, and only if it is an object.
    pub structured: Option<Box<RawValue>>,
    /// Did the tool fail?
    pub is_error: bool,
    /// `_meta`; dropped if it is no object.
    pub meta: Option<Box<RawValue>>,
}

impl CallResult {
    /// A single text.
    pub fn text(text: &str) -> Self {
        Self {
            content: vec![text_block(text)],
            ..Self::default()
        }
    }

    /// A failure that an AI can read and act on.
    pub fn error(text: &str) -> Self {
        Self {
            is_error: true,
            ..Self::text(text)
        }
    }
}

/// The response to one call.
pub(crate) fn response(
    id: &str,
    version: Version,
    tool: &str,
    outcome: Result<CallResult, CallError>,
) -> Bytes {
    let fault = match outcome {
        Ok(result) => return reply::result(id, &body(&result, version)),
        Err(CallError::InvalidArguments(words)) if version >= Version::V2025_11_25 => {
            return reply::result(id, &body(&CallResult::error(&words), version));
        }
        Err(CallError::InvalidArguments(words)) => Fault::InvalidParams(words),
        Err(CallError::MissingCapability(needed)) => {
            let words = format!(
                "This tool needs a client that declares {}, and this connection does not.",
                needed.to_json()
            );
            return reply::result(id, &body(&CallResult::error(&words), version));
        }
        Err(CallError::Unknown) => Fault::UnknownTool(excerpt(tool)),
        Err(CallError::Cancelled) => Fault::Cancelled,
        Err(CallError::Gone) => Fault::Gone,
        Err(CallError::Internal(words)) => Fault::Internal(words),
    };
    reply::error(ReplyTo::Id(id), &fault)
}

fn body(result: &CallResult, version: Version) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        content: &'a [Box<RawValue>],
        #[serde(rename = "structuredContent", skip_serializing_if = "Option::is_none")]
        structured: Option<&'a RawValue>,
        #[serde(rename = "isError")]
        is_error: bool,
        #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
        meta: Option<&'a RawValue>,
    }
    let told; // Owns what is not sent as it came.
    let content = match &result.structured {
        // "SHOULD also return the serialized JSON in a TextContent block" (server/tools, structured content).
        Some(structured) if result.content.is_empty() => {
            told = vec![text_block(structured.get())];
            &told
        }
        _ if version < Version::V2025_06_18 => {
            told = result
                .content
                .iter()
                .map(|block| for_old(block, version))
                .collect();
            &told
        }
        _ => &result.content,
    };
    let body = Body {
        content,
        structured: object(&result.structured).filter(|_| version >= Version::V2025_06_18),
        is_error: result.is_error,
        meta: object(&result.meta),
    };
    serde_json::to_vec(&body).expect("raw JSON and booleans are JSON")
}

fn object(raw: &Option<Box<RawValue>>) -> Option<&RawValue> {
    raw.as_deref().filter(|raw| is_object(raw))
}

/// A block that the version has no word for becomes text; all others stay as they are.
fn for_old(block: &RawValue, version: Version) -> Box<RawValue> {
    #[derive(Deserialize)]
    struct Block {
        r#type: String,
        uri: Option<String>,
        name: Option<String>,
        #[serde(rename = "mimeType")]
        mime_type: Option<String>,
    }
    match serde_json::from_str::<Block>(block.get()) {
        Ok(link) if link.r#type == "resource_link" => {
            let uri = link.uri.unwrap_or_default();
            text_block(
                &link
                    .name
                    .map_or_else(|| uri.clone(), |name| format!("{name}: {uri}")),
            )
        }
        Ok(audio) if audio.r#type == "audio" && version < Version::V2025_03_26 => {
            text_block(&format!(
                "[audio, {}]",
                audio.mime_type.as_deref().unwrap_or("of unknown type")
            ))
        }
        Ok(_) | Err(_) => block.to_owned(),
    }
}

fn text_block(text: &str) -> Box<RawValue> {
    #[derive(Serialize)]
    struct Text<'a> {
        r#type: &'static str,
        text: &'a str,
    }
    to_raw_value(&Text {
        r#type: "text",
        text,
    })
    .expect("strings are JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).expect("a test's JSON")
    }

    fn sent(result: &CallResult, version: Version) -> String {
        String::from_utf8(body(result, version)).expect("UTF-8")
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
    fn a_wrong_argument_is_a_tool_error_for_the_newest_and_a_protocol_error_before() {
        let outcome = || Err(CallError::InvalidArguments("query is missing".to_owned()));
        let new = response("1", Version::V2025_11_25, "t", outcome());
        assert!(
            new.ends_with(br#""text":"query is missing"}],"isError":true}}"#),
            "{new:?}"
        );
        let old = response("1", Version::V2025_06_18, "t", outcome());
        assert!(
            old.ends_with(
                br#""error":{"code":-32602,"message":"Invalid params: query is missing"}}"#
            ),
            "{old:?}"
        );
    }
}
