//! What a request came to, in the words of the client's version.

use bytes::Bytes;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::{
    CallError, ToolServer, Version,
    about::ServerInfo,
    envelope::is_object,
    fault::Fault,
    job::{Ask, Ended, undeclared},
    members::Members,
    reply::{self, ReplyTo},
};

/// What a tool came to, in the shape of 2026-07-28. Older versions get what they know of it.
#[derive(Clone, Debug, Default)]
pub struct CallResult {
    /// Content blocks. Where there are none, the text of `structured` stands in for them.
    pub content: Vec<Box<RawValue>>,
    /// `structuredContent`: sent from 2025-06-18 on; until 2026-07-28 only if it is an object.
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

/// Whom a result is for.
pub(crate) struct To<'a> {
    pub(crate) id: &'a str,
    pub(crate) version: Version,
    pub(crate) server: &'a dyn ToolServer,
}

/// The response to a request that ended, and the status it has where it stands alone.
pub(crate) fn response(
    to: &To<'_>,
    ask: &Ask,
    outcome: Result<Ended, CallError>,
) -> (StatusCode, Bytes) {
    match self::outcome(to, ask, outcome) {
        Ok(result) => (StatusCode::OK, reply::result(to.id, &result)),
        Err(fault) => refusal(to.id, &fault),
    }
}

/// What a request came to, as a result object or as a refusal.
pub(crate) fn outcome(
    to: &To<'_>,
    ask: &Ask,
    outcome: Result<Ended, CallError>,
) -> Result<Vec<u8>, Fault> {
    let modern = to.version.is_modern();
    let tools_error = match (&outcome, ask) {
        (Err(CallError::InvalidArguments(words)), Ask::Call { .. })
            if to.version >= Version::V2025_11_25 =>
        {
            Some(words.clone())
        }
        (Err(CallError::MissingCapability(needed)), Ask::Call { .. }) if !modern => {
            Some(undeclared(*needed))
        }
        _ => None,
    };
    let ended = match (tools_error, outcome) {
        (Some(words), _) => Ended::Call(CallResult::error(&words)),
        (None, Ok(ended)) => ended,
        (None, Err(error)) => return Err(ask.fault(error, modern)),
    };
    Ok(body(to, &ended))
}

/// The error in place of a result.
pub(crate) fn refusal(id: &str, fault: &Fault) -> (StatusCode, Bytes) {
    (fault.status(), reply::error(ReplyTo::Id(id), fault))
}

/// A result, in the words of its version.
pub(crate) fn body(to: &To<'_>, ended: &Ended) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Values<'a> {
        values: &'a [String],
        #[serde(skip_serializing_if = "Option::is_none")]
        total: Option<u32>,
        has_more: bool,
    }
    let mut out = Out::new(to);
    match ended {
        Ended::Call(result) => call(&mut out, to.version, result),
        Ended::Read(result) => {
            out.put("contents", &result.contents);
            if to.version.is_modern() {
                // It was made for this request, and nobody tells when it stops being true.
                out.put("ttlMs", &0);
                out.put("cacheScope", &"private");
            }
            out.meta(result.meta.as_deref());
        }
        Ended::Prompt(result) => {
            if let Some(description) = &result.description {
                out.put("description", description);
            }
            if to.version < Version::V2025_06_18 {
                let messages = result.messages.iter();
                let messages: Vec<_> = messages
                    .map(|message| message_for_old(message, to.version))
                    .collect();
                out.put("messages", &messages);
            } else {
                out.put("messages", &result.messages);
            }
            out.meta(result.meta.as_deref());
        }
        Ended::Completion(completion) => {
            // "Completion: values: ... MUST NOT exceed 100 items" (server/utilities/completion).
            let sent = completion.values.len().min(100);
            let values = Values {
                values: &completion.values[..sent],
                total: completion.total,
                has_more: completion.has_more || sent < completion.values.len(),
            };
            out.put("completion", &values);
            out.meta(None);
        }
    }
    out.end()
}

fn call(out: &mut Out<'_>, version: Version, result: &CallResult) {
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
    out.put("content", content);
    let structured = result.structured.as_deref().filter(|structured| {
        version.is_modern() || version >= Version::V2025_06_18 && is_object(structured)
    });
    if let Some(structured) = structured {
        out.put("structuredContent", structured);
    }
    out.put("isError", &result.is_error);
    out.meta(result.meta.as_deref());
}

/// A result object while it is written.
pub(crate) struct Out<'a> {
    bytes: Vec<u8>,
    to: &'a To<'a>,
}

impl<'a> Out<'a> {
    pub(crate) fn new(to: &'a To<'a>) -> Self {
        // Most results fit, and growing to it costs more than the writing.
        let mut bytes = Vec::with_capacity(1 << 10);
        bytes.push(b'{');
        Self { bytes, to }
    }

    pub(crate) fn put<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) {
        if self.bytes.len() > 1 {
            self.bytes.push(b',');
        }
        let written = serde_json::to_writer(&mut self.bytes, name).and_then(|()| {
            self.bytes.push(b':');
            serde_json::to_writer(&mut self.bytes, value)
        });
        written.expect("raw JSON, strings and numbers are JSON");
    }

    /// `_meta`, into which modern versions want the server to put its name.
    pub(crate) fn meta(&mut self, own: Option<&RawValue>) {
        let own = own.filter(|own| is_object(own));
        if !self.to.version.is_modern() {
            if let Some(own) = own {
                self.put("_meta", own);
            }
            return;
        }
        let about = self.to.server.about();
        let info =
            to_raw_value(&ServerInfo::new(&about, self.to.version)).expect("strings are JSON");
        let mut members = own.and_then(Members::read).unwrap_or(Members(Vec::new()));
        if members.get(SERVER_INFO).is_none() {
            members.0.push((SERVER_INFO.into(), &info));
        }
        self.put("_meta", &members);
    }

    /// The object: `complete`, where the version asks for the word.
    pub(crate) fn end(self) -> Vec<u8> {
        self.end_as("complete")
    }

    pub(crate) fn end_as(mut self, result_type: &str) -> Vec<u8> {
        if self.to.version.is_modern() {
            self.put("resultType", result_type);
        }
        self.bytes.push(b'}');
        self.bytes
    }
}

pub(crate) const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

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

/// A prompt's message, whose content is one block.
fn message_for_old(message: &RawValue, version: Version) -> Box<RawValue> {
    let Some(mut members) = Members::read(message) else {
        return message.to_owned();
    };
    let block = members.get("content").map(|block| for_old(block, version));
    for (name, value) in &mut members.0 {
        if name == "content" {
            *value = block.as_deref().unwrap_or(value);
        }
    }
    to_raw_value(&members).expect("raw JSON and strings are JSON")
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
mod tests;
