//! JSON Schema: compiled without any way to the outside, and its findings in words that name the field.

use jsonschema::{Draft, ValidationError, Validator};
use serde_json::{Map, Value};

use super::references;

/// Findings in one message. An AI corrects a few at a time; a flood of them helps nobody.
const MAX_FINDINGS: usize = 5;
/// Characters of one finding: a value the caller sent may be quoted in it.
const MAX_FINDING: usize = 300;

/// Compiles a schema as 2020-12, MCP's default dialect. References outside of it are not followed, and those inside are
/// bounded.
///
/// # Errors
/// The compiler's words.
pub fn compile(schema: &Map<String, Value>) -> Result<Validator, String> {
    references::check(schema)?;
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        // A linear-time engine: a guest's `pattern` cannot make a caller's text explode.
        .with_pattern_options(jsonschema::PatternOptions::regex())
        .build(&Value::Object(schema.clone()))
        .map_err(|error| error.to_string())
}

/// Compiles the schema of an object, as MCP has those of a tool's input and output.
///
/// # Errors
/// The compiler's words, or that it is none of an object.
pub fn of_object(schema: &Map<String, Value>) -> Result<Validator, String> {
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        return Err("its type must be \"object\"".to_owned());
    }
    compile(schema)
}

/// What is wrong with `value`; `None` when nothing is.
#[must_use]
pub fn findings(validator: &Validator, value: &Value) -> Option<String> {
    listed(validator, value, |error| error.to_string())
}

/// The same without quoting the value: for whoever must not read it.
#[must_use]
pub fn masked(validator: &Validator, value: &Value) -> Option<String> {
    listed(validator, value, |error| error.masked().to_string())
}

fn listed(
    validator: &Validator,
    value: &Value,
    said: impl Fn(&ValidationError<'_>) -> String,
) -> Option<String> {
    if validator.is_valid(value) {
        return None;
    }
    let mut errors = validator.iter_errors(value);
    let mut lines: Vec<String> = errors
        .by_ref()
        .take(MAX_FINDINGS)
        .map(|error| {
            let field = error.instance_path().to_string();
            let field = field.trim_start_matches('/').replace('/', ".");
            let words: String = said(&error).chars().take(MAX_FINDING).collect();
            if field.is_empty() {
                words
            } else {
                format!("{field}: {words}")
            }
        })
        .collect();
    if errors.next().is_some() {
        lines.push("and more".into());
    }
    Some(lines.join("; "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema(value: Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn a_finding_names_its_field() {
        let validator = compile(&schema(json!({
            "type": "object",
            "properties": {"count": {"type": "number"}},
            "required": ["topic"]
        })))
        .expect("a good schema");
        let words = findings(&validator, &json!({"count": "many"})).expect("two faults");
        assert!(
            words.contains("count: ") && words.contains("topic"),
            "{words}"
        );
        assert_eq!(findings(&validator, &json!({"topic": "x"})), None);
    }

    #[test]
    fn a_masked_finding_names_the_field_and_not_what_stood_there() {
        let schema = schema(json!({"type": "object", "properties": {"count": {"type": "number"}}}));
        let validator = of_object(&schema).expect("a good schema");
        let words = masked(&validator, &json!({"count": "a secret"})).expect("a fault");
        assert!(
            words.contains("count: ") && !words.contains("secret"),
            "{words}"
        );
    }

    #[test]
    fn a_reference_to_the_outside_is_refused() {
        let error = compile(&schema(
            json!({"type": "object", "$ref": "http://127.0.0.1:1/schema"}),
        ));
        assert!(error.is_err());
    }
}
