//! What becomes of a guest's answer: checked, bounded, and in MCP's shape.

use airlock_mcp::{CallError, CallResult};
use airlock_sandbox::{Failure, wit};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::publish::PublishedTool;

/// Bytes of one result. Clients cut far smaller ones; this keeps a guest from filling the host's memory.
const MAX_RESULT: usize = 8 << 20;

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
    app: &str,
    tool: &PublishedTool,
    ended: Result<Result<wit::Outcome, wit::Error>, Failure>,
) -> Result<CallResult, CallError> {
    let outcome = match ended {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => return from_error(app, error),
        Err(failure) => {
            tracing::warn!(app, tool = tool.guest_name, %failure, "a guest failed");
            return Ok(CallResult::error(&failure.caller()));
        }
    };
    match outcome {
        wit::Outcome::Complete(complete) => Ok(checked(tool, complete).unwrap_or_else(|fault| {
            tracing::warn!(app, tool = tool.guest_name, fault, "a guest's result was refused");
            CallResult::error(
                "This tool's guest answered with something that cannot be passed on. The operator of this server can \
                 find the reason in its log.",
            )
        })),
        wit::Outcome::InputRequired(_) => Ok(CallResult::error(
            "This tool has a question for a person before it can go on, and this connection cannot carry one.",
        )),
        wit::Outcome::Other(_) => Ok(CallResult::error(
            "This tool's guest ended the call in a way that this server does not know. It may need a newer Airlock.",
        )),
    }
}

fn from_error(app: &str, error: wit::Error) -> Result<CallResult, CallError> {
    match error {
        wit::Error::InvalidArguments(words) => Err(CallError::InvalidArguments(words)),
        wit::Error::UnknownTool(_) => Err(CallError::UnknownTool),
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
/// What is wrong with the result, for the log.
fn checked(tool: &PublishedTool, complete: wit::CallResult) -> Result<CallResult, String> {
    let mut bytes = 0;
    let mut room = |text: &str| {
        bytes += text.len();
        if bytes > MAX_RESULT {
            Err(format!("the result is over {MAX_RESULT} bytes"))
        } else {
            Ok(())
        }
    };
    let mut content = Vec::with_capacity(complete.content.len());
    for block in complete.content {
        content.push(match block {
            wit::Content::Text(text) => {
                room(&text)?;
                text_block(&text)?
            }
            wit::Content::Other(json) => {
                room(&json)?;
                raw(json, "a content block")?
            }
            wit::Content::File(_) => {
                return Err("it names a file that this call does not hold".into());
            }
        });
    }
    if let Some(structured) = &complete.structured {
        room(structured)?;
    }
    // An error need not keep the promise of the output schema (server/tools, "Output Schema").
    if !complete.is_error {
        let value: Option<Value> = complete
            .structured
            .as_deref()
            .map(serde_json::from_str)
            .transpose()
            .map_err(|error| format!("its structured content is not JSON: {error}"))?;
        if let Some(findings) = tool.broken_promise(value.as_ref()) {
            return Err(format!(
                "its structured content does not fit the output schema: {findings}"
            ));
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
    to_raw_value(&serde_json::json!({"type": "text", "text": text}))
        .map_err(|error| error.to_string())
}

fn raw(json: String, what: &str) -> Result<Box<RawValue>, String> {
    RawValue::from_string(json).map_err(|error| format!("{what} is not JSON: {error}"))
}
