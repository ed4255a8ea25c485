use airlock_guest::dify::Answer;
use airlock_guest::form::FILE_MARKER;
use airlock_guest::{CallResult, Map, Mode, Value};

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
    result = match answer.status.as_str() {
        // Dify's own MCP server answers `{}` here, as a success; a caller then takes the run for done.
        "paused" => {
            let asked = asked(&answer.extra);
            CallResult {
                is_error: true,
                ..result.and(asked)
            }
        }
        _ if result.content.is_empty() => result.and("The app finished without an answer."),
        _ => result,
    };
    if answer.extra.get("truncated") == Some(&Value::Bool(true)) {
        result = result
            .and("Note: this answer was longer than this server passes on; its rest is left out.");
    }
    match answer.status.as_str() {
        "succeeded" | "paused" => {}
        "partial-succeeded" => {
            result = result.and("Note: a step of this app failed, and the branch for that case answered in its place.");
        }
        other => result = result.and(format!("Note: Dify reports this run as `{other}`.")),
    }
    if *mode == Mode::Workflow && !result.is_error {
        result = result.structured(answer.outputs);
    }
    if let Some(usage) = answer.usage {
        result = result.meta("airlock/usage", usage);
    }
    if let Some(handle) = answer.conversation {
        // Clients hand `_meta` to programs and the text to the model: whoever goes on needs the handle.
        result = result
            .and(format!("(To go on with this conversation, call again with `conversation` set to `{handle}`.)"))
            .meta("airlock/conversation", handle);
    }
    result
}

/// The app's words. A workflow has outputs instead: its only text as it is, everything else as JSON.
fn said(mode: &Mode, answer: &Answer) -> String {
    let workflow = *mode == Mode::Workflow && !answer.outputs.is_empty();
    if !workflow {
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

/// Whom the app waits for. The form's token stays out: whoever has it can answer in that person's place.
fn asked(extra: &Map<String, Value>) -> String {
    let reasons = extra.get("reasons").and_then(Value::as_array);
    let questions: Vec<String> = reasons.into_iter().flatten().map(question).collect();
    let mut words =
        "The app waits for a person to answer in Dify, and this call cannot wait for that."
            .to_owned();
    for question in questions.iter().filter(|question| !question.is_empty()) {
        words.push_str("\n- ");
        words.push_str(question);
    }
    words
}

fn question(reason: &Value) -> String {
    let title = reason["node_title"].as_str().unwrap_or_default();
    let content = without_fields(reason["form_content"].as_str().unwrap_or_default());
    let actions = reason["actions"].as_array().into_iter().flatten();
    let actions: Vec<&str> = actions
        .filter_map(|action| action["title"].as_str())
        .collect();
    let mut parts = vec![title, content.as_str()];
    parts.retain(|part| !part.is_empty());
    let question = parts.join(": ");
    if actions.is_empty() {
        question
    } else {
        format!("{question} ({})", actions.join(" / "))
    }
}

/// A form's text without the places where its inputs stand (`{{#$output.note#}}`), which mean nothing in a sentence.
fn without_fields(content: &str) -> String {
    let mut parts = content.split("{{#");
    let first = parts.next().unwrap_or_default();
    let rest = parts.map(|part| part.split_once("#}}").map_or(part, |(_, rest)| rest));
    let words: String = std::iter::once(first).chain(rest).collect();
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}
