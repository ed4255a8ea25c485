//! Says which descriptions an AI could not use. Findings never keep a tool from being published.

use serde_json::{Map, Value};

/// Characters below which a description can hardly say what a tool does and when to use it.
const SHORT: usize = 20;
/// Characters above which a description costs every conversation more than it tells.
const LONG: usize = 2_000;

/// The findings about one published tool, each a sentence with what to do.
#[must_use]
pub fn tool(name: &str, description: &str, schema: &Map<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    match description.trim().chars().count() {
        0 => found.push(format!(
            "{name} has no description; an AI has only its name to go by"
        )),
        n if n < SHORT => found.push(format!(
            "{name}'s description is {n} characters; say what it does and when to use it"
        )),
        n if n > LONG => found.push(format!(
            "{name}'s description is {n} characters; it is sent with every conversation"
        )),
        _ => {}
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    for (property, schema) in properties.into_iter().flatten() {
        let text = schema
            .get("description")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .trim();
        if text.is_empty() || text.eq_ignore_ascii_case(property) {
            found.push(format!(
                "{name}: input {property:?} has no description of its own"
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_an_ai_could_not_use_is_named() {
        let schema =
            json!({"properties": {"q": {"type": "string"}, "t": {"description": "The topic"}}});
        let found = tool("echo", "", schema.as_object().expect("an object"));
        assert_eq!(found.len(), 2);
        assert!(found[0].contains("no description") && found[1].contains("\"q\""));
    }
}
