use airlock_guest::dify::Answer;
use airlock_guest::form::FILE_MARKER;
use airlock_guest::{CallResult, Mode, Value};

use crate::citations;
use crate::conversation::{self, GoesOn};

/// What the caller gets for an answer of the app: its words, then its files.
pub(crate) fn result(mode: &Mode, mut answer: Answer, goes_on: GoesOn) -> CallResult {
    answer.outputs.values_mut().for_each(without_references);
    let mut result = CallResult::new();
    let said = said(mode, &answer);
    if !said.is_empty() {
        result = result.and(said);
    }
    for file in std::mem::take(&mut answer.files) {
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
        result = result.structured(std::mem::take(&mut answer.outputs));
    }
    told(result, &answer, goes_on)
}

/// The same for a run that waits: what it said so far, and why it has not ended.
pub(crate) fn unfinished(mut answer: Answer, waits: CallResult, goes_on: GoesOn) -> CallResult {
    let mut result = waits;
    if !answer.text.is_empty() {
        let said = std::mem::take(&mut answer.text);
        result.content.insert(0, said.into());
    }
    for file in std::mem::take(&mut answer.files) {
        result = result.and(file);
    }
    told(result, &answer, goes_on)
}

/// What there is to say beside the answer.
fn told(result: CallResult, answer: &Answer, goes_on: GoesOn) -> CallResult {
    let mut result = citations::told(result, &answer.extra);
    if let Some(usage) = &answer.usage {
        result = result.meta("airlock/usage", usage.clone());
    }
    conversation::told(result, answer, goes_on)
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
