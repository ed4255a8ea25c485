//! Inputs that are files: what a guest marks with `x-airlock-file`, and what clients see in its place.

use airlock_form::{FILE_MARKER, Files};
use serde_json::{Map, Value, json};

use crate::files::SCHEME;
use crate::files::fetch::is_plain;

/// An input that takes files. The guest gets references for them.
#[derive(Debug, Clone, PartialEq)]
pub struct FileInput {
    /// The property's name.
    pub name: String,
    /// What files are taken.
    pub takes: Files,
    /// How many: none for a single file.
    pub many: Option<Many>,
}

/// A list of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Many {
    /// The most, where there is a bound.
    pub most: Option<usize>,
}

impl FileInput {
    /// The inputs of a tool that are marked, in the schema's order.
    ///
    /// # Errors
    /// What is wrong with a marker, for the guest's author.
    pub fn all(schema: &Map<String, Value>) -> Result<Vec<Self>, String> {
        let properties = schema.get("properties").and_then(Value::as_object);
        let mut inputs = Vec::new();
        for (name, property) in properties.into_iter().flatten() {
            let inner = property.as_object().into_iter().flatten();
            if inner
                .clone()
                .any(|(key, value)| key != FILE_MARKER && has_marker(value))
            {
                return Err(format!(
                    "{name}: only an input itself can be marked with {FILE_MARKER}"
                ));
            }
            let Some(marker) = property.get(FILE_MARKER) else {
                continue;
            };
            inputs.push(Self::read(name, property, marker)?);
        }
        Ok(inputs)
    }

    fn read(name: &str, property: &Value, marker: &Value) -> Result<Self, String> {
        let marker = marker
            .as_object()
            .ok_or_else(|| format!("{name}: {FILE_MARKER} must be an object"))?;
        for (key, value) in marker {
            let words = value.as_array();
            if !words.is_some_and(|words| words.iter().all(Value::is_string)) {
                return Err(format!(
                    "{name}: {key} in {FILE_MARKER} must be a list of texts"
                ));
            }
        }
        let many = match property.get("type").and_then(Value::as_str) {
            Some("string") => None,
            Some("array") => Some(Many {
                most: property
                    .get("maxItems")
                    .and_then(Value::as_u64)
                    .and_then(|most| usize::try_from(most).ok()),
            }),
            _ => {
                return Err(format!(
                    "{name}: what is marked with {FILE_MARKER} is of type string, or array for a list of files"
                ));
            }
        };
        Ok(Self {
            name: name.to_owned(),
            takes: Files::of_marker(marker),
            many,
        })
    }

    /// Puts into a tool's schema what clients can fill in, in the place of what the guest gets.
    pub fn publish(&self, schema: &mut Map<String, Value>) {
        let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
        let property = properties.and_then(|properties| properties.get_mut(&self.name));
        let Some(property) = property.and_then(Value::as_object_mut) else {
            return;
        };
        property.shift_remove(FILE_MARKER);
        // A reference of the guest's is no default for anybody.
        property.shift_remove("default");
        let file = self.file();
        if self.many.is_some() {
            property.insert("items".into(), Value::Object(file));
        } else {
            property.extend(file);
        }
    }

    /// What is wrong with a value that an operator pins: a file that is always the same is given by its address.
    #[must_use]
    pub fn pin_fault(&self, value: &Value) -> Option<String> {
        let address = |value: &Value| {
            let text = value
                .get("url")
                .unwrap_or(value)
                .as_str()
                .unwrap_or_default();
            url::Url::parse(text).is_ok_and(|url| is_plain(&url))
        };
        let fits = match (self.many, value) {
            (Some(_), Value::Array(items)) => items.iter().all(address),
            (Some(_), _) => false,
            (None, value) => address(value),
        };
        (!fits).then(|| "a file is pinned by its http or https address".into())
    }

    /// One file, as clients give it: an object of plain texts, of which one is filled in. Not a choice of schemas: models
    /// fill those in badly, and Dify as a client takes them for a text.
    fn file(&self) -> Map<String, Value> {
        let text = |words: &str| json!({"type": "string", "description": words});
        let mut ways = Map::new();
        if self.takes.takes_urls() {
            ways.insert("url".into(), text("The file's http or https address."));
        }
        if self.takes.takes_uploads() {
            ways.insert(
                "data".into(),
                text("The file itself, in base64. Give its name too."),
            );
            ways.insert(
                "name".into(),
                text("With data: the file's name with its ending, such as report.pdf."),
            );
            ways.insert(
                "mime_type".into(),
                text("With data: the file's media type, where its name has no ending."),
            );
            let handle = format!(
                "The handle of a file from an earlier answer of this server; it begins with {SCHEME}"
            );
            ways.insert("handle".into(), text(&handle));
        }
        let mut file = Map::new();
        file.insert("type".into(), "object".into());
        file.insert("properties".into(), ways.into());
        file.insert("additionalProperties".into(), false.into());
        file
    }
}

fn has_marker(value: &Value) -> bool {
    match value {
        Value::Object(object) => {
            object.contains_key(FILE_MARKER) || object.values().any(has_marker)
        }
        Value::Array(items) => items.iter().any(has_marker),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(properties: Value) -> Map<String, Value> {
        let schema = json!({"type": "object", "properties": properties});
        schema.as_object().expect("an object").clone()
    }

    #[test]
    fn a_marked_input_is_published_as_something_to_fill_in() {
        let mut schema = schema(json!({
            "doc": {"type": "string", "title": "Document", "description": "A file.", "x-airlock-file": {"types": ["document"]}},
            "pictures": {"type": "array", "items": {"type": "string"}, "maxItems": 2,
                         "x-airlock-file": {"types": ["image"], "methods": ["remote_url"]}},
            "topic": {"type": "string"},
        }));
        let inputs = FileInput::all(&schema).expect("good markers");
        assert_eq!(inputs.len(), 2);
        assert_eq!(
            (inputs[0].many, inputs[1].many),
            (None, Some(Many { most: Some(2) }))
        );
        inputs.iter().for_each(|input| input.publish(&mut schema));
        let properties = &schema["properties"];
        assert_eq!(properties["doc"]["type"], "object");
        assert_eq!(properties["doc"]["title"], "Document");
        let ways = |file: &Value| -> Vec<String> {
            let ways = file["properties"].as_object().expect("an object");
            assert!(ways.values().all(|way| way["type"] == "string"));
            ways.keys().cloned().collect()
        };
        assert_eq!(
            ways(&properties["doc"]),
            ["url", "data", "name", "mime_type", "handle"]
        );
        assert_eq!(properties["pictures"]["type"], "array");
        assert_eq!(properties["pictures"]["maxItems"], 2);
        assert_eq!(ways(&properties["pictures"]["items"]), ["url"]);
        assert!(!Value::Object(schema).to_string().contains(FILE_MARKER));
    }

    #[test]
    fn a_marker_that_cannot_be_kept_is_refused() {
        for wrong in [
            json!({"doc": {"type": "string", "x-airlock-file": true}}),
            json!({"doc": {"type": "string", "x-airlock-file": {"types": "image"}}}),
            json!({"doc": {"type": "object", "x-airlock-file": {}}}),
            json!({"more": {"type": "object", "properties": {"doc": {"type": "string", "x-airlock-file": {}}}}}),
        ] {
            assert!(FileInput::all(&schema(wrong.clone())).is_err(), "{wrong}");
        }
    }
}
