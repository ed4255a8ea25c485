//! A workflow's output schema, learnt from what its runs have put out: what held every time, and nothing more.

use serde_json::{Map, Value, json};

/// How deep objects and lists are looked into.
const DEPTH: usize = 3;

/// What was always there, and always of one type, in all of these outputs. No values, no bounds, and open to more. `None`
/// where nothing was.
#[must_use]
pub fn schema(outputs: &[Map<String, Value>]) -> Option<Map<String, Value>> {
    let all: Vec<&Map<String, Value>> = outputs.iter().collect();
    let Value::Object(schema) = of_objects(&all, DEPTH) else {
        return None;
    };
    schema.contains_key("properties").then_some(schema)
}

fn of_objects(objects: &[&Map<String, Value>], depth: usize) -> Value {
    let mut schema = json!({"type": "object"});
    let Some(first) = objects.first().filter(|_| depth > 0) else {
        return schema;
    };
    let mut properties = Map::new();
    for name in first.keys() {
        let values: Option<Vec<&Value>> = objects.iter().map(|object| object.get(name)).collect();
        if let Some(property) = values.and_then(|values| of_values(&values, depth - 1)) {
            properties.insert(name.clone(), property);
        }
    }
    if !properties.is_empty() {
        schema["required"] = properties.keys().cloned().collect();
        schema["properties"] = properties.into();
    }
    schema
}

/// `None` where they are not of one type, or always null. A null beside it is a type of its own.
fn of_values(values: &[&Value], depth: usize) -> Option<Value> {
    let known: Vec<&Value> = values.iter().copied().filter(|it| !it.is_null()).collect();
    let r#type = type_of(known.first()?);
    if known.iter().any(|value| type_of(value) != r#type) {
        return None;
    }
    let mut schema = match r#type {
        "object" => {
            let objects: Vec<_> = known.iter().filter_map(|value| value.as_object()).collect();
            // What is told of a file, and what of it reaches a client, is not the app's to choose.
            let files = objects.iter().any(|object| is_file(object));
            of_objects(&objects, if files { 0 } else { depth })
        }
        "array" => {
            let items: Vec<&Value> = known
                .iter()
                .filter_map(|it| it.as_array())
                .flatten()
                .collect();
            let mut schema = json!({"type": "array"});
            if let Some(items) = of_values(&items, depth.saturating_sub(1)) {
                schema["items"] = items;
            }
            schema
        }
        plain => json!({"type": plain}),
    };
    if known.len() < values.len() {
        schema["type"] = json!([r#type, "null"]);
    }
    Some(schema)
}

/// A whole number is a number: the next one may be a fraction.
fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// As Dify writes a file in a run's outputs.
fn is_file(object: &Map<String, Value>) -> bool {
    object.contains_key("dify_model_identity") || object.contains_key("transfer_method")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learnt(outputs: Value) -> Option<Value> {
        let outputs: Vec<Map<String, Value>> = serde_json::from_value(outputs).expect("objects");
        let learnt = schema(&outputs)?;
        let validator = crate::publish::schema::of_object(&learnt).expect("a usable schema");
        for output in &outputs {
            let output = Value::Object(output.clone());
            assert!(
                validator.is_valid(&output),
                "{output} is one it was learnt from"
            );
        }
        Some(learnt.into())
    }

    #[test]
    fn what_held_every_time_is_promised_and_nothing_more() {
        let outputs = json!([
            {"report": "A", "count": 1, "done": true, "mood": "good", "extra": 1, "nothing": null},
            {"report": "B", "count": 2.5, "done": false, "mood": 3, "nothing": null, "other": "x"},
        ]);
        assert_eq!(
            learnt(outputs),
            Some(json!({
                "type": "object",
                "required": ["report", "count", "done"],
                "properties": {"report": {"type": "string"}, "count": {"type": "number"}, "done": {"type": "boolean"}}
            }))
        );
    }

    #[test]
    fn a_null_now_and_then_and_lists_that_are_empty_stay_possible() {
        let outputs = json!([
            {"title": null, "tags": [], "rows": [{"id": 1, "note": "x"}]},
            {"title": "T", "tags": ["a"], "rows": [{"id": 2}, {"id": 3}]},
            {"title": "U", "tags": ["b", "c"], "rows": []},
        ]);
        let learnt = learnt(outputs).expect("something held");
        let properties = &learnt["properties"];
        assert_eq!(properties["title"], json!({"type": ["string", "null"]}));
        assert_eq!(
            properties["tags"],
            json!({"type": "array", "items": {"type": "string"}})
        );
        assert_eq!(
            properties["rows"]["items"],
            json!({"type": "object", "required": ["id"], "properties": {"id": {"type": "number"}}})
        );
    }

    #[test]
    fn a_file_is_an_object_and_deep_things_are_not_looked_into() {
        let file = json!({"dify_model_identity": "__dify__file__", "url": "u", "size": 1});
        let deep = json!({"a": {"b": {"c": {"d": 1}}}});
        let learnt = learnt(json!([{"file": file, "deep": deep}])).expect("something held");
        assert_eq!(learnt["properties"]["file"], json!({"type": "object"}));
        let b = &learnt["properties"]["deep"]["properties"]["a"]["properties"]["b"];
        assert_eq!(*b, json!({"type": "object"}));
    }

    #[test]
    fn where_nothing_held_there_is_nothing_to_promise() {
        assert_eq!(learnt(json!([])), None);
        assert_eq!(learnt(json!([{"a": 1}, {"b": 1}])), None);
        assert_eq!(learnt(json!([{"a": 1}, {"a": "x"}])), None);
    }
}
