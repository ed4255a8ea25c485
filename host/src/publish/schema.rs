//! JSON Schema: compiled without any way to the outside, and its findings in words that name the field.

use jsonschema::{Draft, Validator};
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

/// What is wrong with `value`; `None` when nothing is.
#[must_use]
pub fn findings(validator: &Validator, value: &Value) -> Option<String> {
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
            let words: String = error.to_string().chars().take(MAX_FINDING).collect();
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
    fn a_reference_to_the_outside_is_refused() {
        let error = compile(&schema(
            json!({"type": "object", "$ref": "http://127.0.0.1:1/schema"}),
        ));
        assert!(error.is_err());
    }
}
