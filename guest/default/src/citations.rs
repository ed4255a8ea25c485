//! What an app looked up to find its answer.

use airlock_guest::{CallResult, Map, Value, json};

/// Sources that are named, and that programs get.
const MOST: usize = 50;
/// Characters of what was found in one.
const LONGEST: usize = 2_000;

/// Adds the sources of an answer: their names for whoever reads it, and where each was found for programs.
pub(crate) fn told(result: CallResult, extra: &Map<String, Value>) -> CallResult {
    let resources = extra.get("retriever_resources").and_then(Value::as_array);
    let citations: Vec<Value> = resources
        .into_iter()
        .flatten()
        .take(MOST)
        .filter_map(citation)
        .collect();
    if citations.is_empty() {
        return result;
    }
    let mut names: Vec<String> = Vec::new();
    for name in citations.iter().filter_map(name) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let result = if names.is_empty() {
        result
    } else {
        result.and(format!("Sources:\n- {}", names.join("\n- ")))
    };
    result.meta("airlock/citations", citations)
}

/// One of Dify's `retriever_resources`, without the ids that mean something inside Dify alone.
fn citation(resource: &Value) -> Option<Value> {
    let mut citation = Map::new();
    for (name, from) in [
        ("position", "position"),
        ("document", "document_name"),
        ("title", "title"),
        ("knowledge", "dataset_name"),
        ("page", "page"),
        ("score", "score"),
    ] {
        let value = resource.get(from).filter(|value| match value {
            Value::String(text) => !text.is_empty(),
            Value::Number(_) => true,
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
        });
        if let Some(value) = value {
            citation.insert(name.to_owned(), value.clone());
        }
    }
    let content = resource.get("content").and_then(Value::as_str);
    if let Some(content) = content.filter(|content| !content.is_empty()) {
        let start: String = content.chars().take(LONGEST).collect();
        citation.insert("content".to_owned(), json!(start));
    }
    (!citation.is_empty()).then_some(Value::Object(citation))
}

fn name(citation: &Value) -> Option<String> {
    let text = |key: &str| citation.get(key).and_then(Value::as_str);
    let document = text("document").or_else(|| text("title"))?;
    Some(match text("knowledge") {
        Some(knowledge) => format!("{document} ({knowledge})"),
        None => document.to_owned(),
    })
}
