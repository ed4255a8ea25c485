//! What becomes of a guest's answer: checked, bounded, and in MCP's shape.

use airlock_mcp::{CallError, CallResult, End, Questions};
use airlock_sandbox::{Failure, wit};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::limits::Limit;
use crate::metrics::Meter;
use crate::publish::PublishedTool;

/// Bytes of the questions of one round.
const MAX_QUESTIONS: usize = 64 << 10;
/// Bytes of what a guest keeps while it waits for answers: the client carries it, sealed.
const MAX_STATE: usize = 32 << 10;

/// The guest's error as one sentence.
#[must_use]
pub fn guest_words(error: &wit::Error) -> String {
    match error {
        wit::Error::InvalidArguments(words) | wit::Error::Failed(words) => words.clone(),
        wit::Error::UnknownTool(name) => format!("it has no tool {name:?}"),
        wit::Error::Dify(error) => error.message.clone(),
        wit::Error::Other(json) => json.clone(),
    }
}

pub(super) fn result(
    meter: &Meter,
    limit: usize,
    tool: &PublishedTool,
    ended: Result<Result<wit::Outcome, wit::Error>, Failure>,
) -> Result<End<CallResult>, CallError> {
    let app = meter.app();
    let outcome = match ended {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => return from_error(app, error).map(End::from),
        Err(failure) => {
            failed(meter, &tool.guest_name, &failure);
            return Ok(CallResult::error(&failure.caller()).into());
        }
    };
    let checked = match outcome {
        wit::Outcome::Complete(complete) => checked(tool, complete, limit).map(End::from),
        wit::Outcome::InputRequired(asked) => questions(asked)
            .map(End::InputRequired)
            .map_err(Fault::Wrong),
        wit::Outcome::Other(_) => {
            return Ok(CallResult::error(
                "This tool's guest ended the call in a way that this server does not know. It may need a newer Airlock.",
            )
            .into());
        }
    };
    Ok(checked.unwrap_or_else(|fault| {
        refused(meter, &tool.guest_name, &fault);
        CallResult::error(&fault.caller()).into()
    }))
}

/// Notes that a guest came to no answer, and the bound that it went over.
pub(super) fn failed(meter: &Meter, tool: &str, failure: &Failure) {
    let limit = failure.bound().map(Limit::from);
    if let Some(limit) = limit {
        meter.over(limit);
    }
    let limit = limit.map(Limit::name);
    tracing::warn!(app = meter.app(), tool, limit, %failure, "a guest failed");
}

/// Notes that a guest's answer is not passed on.
pub(super) fn refused(meter: &Meter, tool: &str, fault: &Fault) {
    if matches!(fault, Fault::TooLarge(_)) {
        meter.over(Limit::Result);
    }
    tracing::warn!(app = meter.app(), tool, %fault, "a guest's answer was refused");
}

/// Why an answer is not passed on. Its text is for the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("it is over {0} bytes (limit: result)")]
    TooLarge(usize),
    #[error("{0}")]
    Wrong(String),
}

impl From<String> for Fault {
    fn from(words: String) -> Self {
        Self::Wrong(words)
    }
}

impl Fault {
    /// What the client reads.
    pub(super) fn caller(&self) -> String {
        match self {
            Self::TooLarge(limit) => format!(
                "The answer is larger than {}, which is the most that is passed on. Ask for less at once.",
                Limit::Result.show(*limit as u64)
            ),
            Self::Wrong(_) => "This tool's guest answered with something that cannot be passed on. The operator of \
                               this server can find the reason in its log."
                .into(),
        }
    }
}

fn from_error(app: &str, error: wit::Error) -> Result<CallResult, CallError> {
    match error {
        wit::Error::InvalidArguments(words) => Err(CallError::InvalidArguments(words)),
        wit::Error::UnknownTool(_) => Err(CallError::Unknown),
        wit::Error::Dify(error) => Ok(CallResult::error(&error.message)),
        wit::Error::Failed(words) => Ok(CallResult::error(&words)),
        wit::Error::Other(json) => {
            tracing::warn!(
                app,
                guest = json,
                "a guest failed in words of a later contract"
            );
            Ok(CallResult::error("This tool failed."))
        }
    }
}

/// # Errors
/// What is wrong with the questions, for the log.
pub(super) fn questions(asked: wit::Questions) -> Result<Questions, String> {
    let bytes = asked.requests.len();
    if bytes > MAX_QUESTIONS {
        return Err(format!(
            "its questions have {bytes} bytes, and {MAX_QUESTIONS} are the most"
        ));
    }
    let bytes = asked.state.len();
    if bytes > MAX_STATE {
        return Err(format!(
            "its state has {bytes} bytes, and {MAX_STATE} are the most"
        ));
    }
    Ok(Questions {
        requests: raw(asked.requests, "questions")?,
        state: asked.state,
    })
}

/// What is left of the bytes of one answer.
pub(super) struct Room {
    left: usize,
    limit: usize,
}

impl Room {
    pub(super) fn new(limit: usize) -> Self {
        Self { left: limit, limit }
    }

    pub(super) fn take(&mut self, text: &str) -> Result<(), Fault> {
        let left = self.left.checked_sub(text.len());
        self.left = left.ok_or(Fault::TooLarge(self.limit))?;
        Ok(())
    }

    /// Is there room for so many bytes? To be asked before anything is made of them.
    pub(super) fn has(&self, bytes: usize) -> Result<(), Fault> {
        if bytes > self.left {
            return Err(Fault::TooLarge(self.limit));
        }
        Ok(())
    }

    pub(super) fn take_block(&mut self, block: &wit::Content) -> Result<(), Fault> {
        let (wit::Content::Text(text) | wit::Content::Other(text) | wit::Content::File(text)) =
            block;
        self.take(text)
    }
}

pub(super) fn content_block(block: wit::Content) -> Result<Box<RawValue>, Fault> {
    match block {
        wit::Content::Text(text) => Ok(text_block(&text)?),
        wit::Content::Other(json) => Ok(raw(json, "a content block")?),
        wit::Content::File(_) => Err(Fault::Wrong(
            "it names a file that this call does not hold".into(),
        )),
    }
}

/// # Errors
/// What is wrong with the result, for the log.
fn checked(
    tool: &PublishedTool,
    complete: wit::CallResult,
    limit: usize,
) -> Result<CallResult, Fault> {
    // Before anything is made of it: what is refused costs nobody's thread any time.
    let mut room = Room::new(limit);
    for block in &complete.content {
        room.take_block(block)?;
    }
    for text in complete.structured.iter().chain(&complete.meta) {
        room.take(text)?;
    }
    let content = complete.content.into_iter().map(content_block);
    let content = content.collect::<Result<_, _>>()?;
    // An error need not keep the promise of the output schema (server/tools, "Output Schema").
    if !complete.is_error {
        let value: Option<Value> = complete
            .structured
            .as_deref()
            .map(serde_json::from_str)
            .transpose()
            .map_err(|error| format!("its structured content is not JSON: {error}"))?;
        if let Some(findings) = tool.broken_promise(value.as_ref()) {
            return Err(Fault::Wrong(format!(
                "its structured content does not fit the output schema: {findings}"
            )));
        }
    }
    Ok(CallResult {
        content,
        structured: complete
            .structured
            .map(|json| raw(json, "structured content"))
            .transpose()?,
        is_error: complete.is_error,
        meta: complete.meta.map(|json| raw(json, "_meta")).transpose()?,
    })
}

fn text_block(text: &str) -> Result<Box<RawValue>, String> {
    #[derive(Serialize)]
    struct Block<'a> {
        r#type: &'static str,
        text: &'a str,
    }
    let r#type = "text";
    to_raw_value(&Block { r#type, text }).map_err(|error| error.to_string())
}

pub(super) fn raw(json: String, what: &str) -> Result<Box<RawValue>, String> {
    if is_deeper_than(MAX_DEPTH, &json) {
        return Err(format!(
            "{what} has more than {MAX_DEPTH} arrays and objects inside one another"
        ));
    }
    RawValue::from_string(json).map_err(|error| format!("{what} is not JSON: {error}"))
}

/// It goes out as it is, and whoever reads it may do so by recursion: serde_json gives up here, others run out of stack.
const MAX_DEPTH: usize = 127;

/// Looks at brackets outside of texts alone; whether it is JSON, the parser says.
fn is_deeper_than(most: usize, json: &str) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => {
                depth += 1;
                if depth > most {
                    return true;
                }
            }
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nests_too_deep_for_readers_is_refused() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(raw(nested(MAX_DEPTH), "it").is_ok());
        assert!(raw(nested(MAX_DEPTH + 1), "it").is_err());
        // Brackets in texts, and beside one another, are no depth.
        let flat = format!(
            r#"["{}\"{}", {}[]]"#,
            "[".repeat(200),
            "{".repeat(200),
            "[],".repeat(200)
        );
        assert!(raw(flat, "it").is_ok());
    }
}
