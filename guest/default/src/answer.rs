use airlock_guest::dify::Answer;
use airlock_guest::form::FILE_MARKER;
use airlock_guest::{CallResult, Mode, Value};

/// What the caller gets for an answer of the app: its words, then its files.
pub(crate) fn result(mode: &Mode, mut answer: Answer) -> CallResult {
    answer.outputs.values_mut().for_each(without_references);
    let mut result = CallResult::new();
    let said = said(mode, &answer);
    if !said.is_empty() {
        result = result.and(said);
    }
    for file in answer.files {
        result = result.and(file);
    }
    if result.content.is_empty() {
        result = result.and("The app finished without an answer.");
    }
    if answer.extra.get("truncated") == Some(&Value::Bool(true)) {
        result = result
            .and("Note: this answer was longer than this server passes on; its rest is left out.");
    }
    match answer.status.as_str() {
        "succeeded" => {}
        "partial-succeeded" => {
            result = result.and("Note: a step of this app failed, and the branch for that case answered in its place.");
        }
        other => result = result.and(format!("Note: Dify reports this run as `{other}`.")),
    }
    if *mode == Mode::Workflow {
        result = result.structured(answer.outputs);
    }
    told(result, answer.usage, answer.conversation)
}

/// The same for a run that waits: what it said so far, and why it has not ended.
pub(crate) fn unfinished(answer: Answer, waits: CallResult) -> CallResult {
    let mut result = waits;
    if !answer.text.is_empty() {
        result.content.insert(0, answer.text.into());
    }
    for file in answer.files {
        result = result.and(file);
    }
    told(result, answer.usage, answer.conversation)
}

fn told(mut result: CallResult, usage: Option<Value>, conversation: Option<String>) -> CallResult {
    if let Some(usage) = usage {
        result = result.meta("airlock/usage", usage);
    }
    if let Some(handle) = conversation {
        // Clients hand `_meta` to programs and the text to the model: whoever goes on needs the handle.
        result = result
            .and(format!("(To go on with this conversation, call again with `conversation` set to `{handle}`.)"))
            .meta("airlock/conversation", handle);
    }
    result
}

/// The app's words. A workflow has outputs instead, and so may an app of a mode that is not known: its only text as it is,
/// everything else as JSON.
fn said(mode: &Mode, answer: &Answer) -> String {
    let speaks = *mode != Mode::Workflow && !answer.text.is_empty();
    if speaks || answer.outputs.is_empty() {
        return answer.text.clone();
    }
    let mut outputs = answer.outputs.values();
    match (outputs.next(), outputs.next()) {
        (Some(Value::String(text)), None) => text.clone(),
        _ => format!("{:#}", Value::Object(answer.outputs.clone())),
    }
}

/// The references of files mean something to the host alone; the files themselves follow as content.
fn without_references(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.shift_remove(FILE_MARKER);
            object.values_mut().for_each(without_references);
        }
        Value::Array(items) => items.iter_mut().for_each(without_references),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
