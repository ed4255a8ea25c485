use serde_json::{Map, Value, json};

use crate::field::{Field, Kind};
use crate::files::{FILE_MARKER, Files};
use crate::form::Form;

impl Form {
    /// The form as JSON Schema 2020-12 of type `object`, in the form's order; unknown properties are refused.
    ///
    /// Left out: hidden variables, and what Dify fills itself. A required text may not be empty, which Dify would accept.
    /// Every property has a `type`, since Dify as a client takes one without for a string. Files are marked with
    /// [`FILE_MARKER`].
    #[must_use]
    pub fn schema(&self) -> Map<String, Value> {
        let mut schema = Map::new();
        schema.insert("type".to_owned(), json!("object"));
        schema.insert("properties".to_owned(), Value::Object(self.properties()));
        let required: Vec<&str> = self.required().collect();
        if !required.is_empty() {
            schema.insert("required".to_owned(), json!(required));
        }
        schema.insert("additionalProperties".to_owned(), json!(false));
        schema
    }

    /// The `properties` of [`Form::schema`], for a tool that has more than the form.
    #[must_use]
    pub fn properties(&self) -> Map<String, Value> {
        let shown = self.fields.iter().filter(|field| field.is_shown());
        shown
            .map(|field| (field.variable.clone(), Value::Object(field.schema())))
            .collect()
    }

    /// The variables that a caller has to give: shown, required, and without a default that [`Form::complete`] would add.
    pub fn required(&self) -> impl Iterator<Item = &str> {
        let shown = self.fields.iter().filter(|field| field.is_shown());
        shown
            .filter(|field| field.required && field.default.is_none())
            .map(|field| field.variable.as_str())
    }
}

impl Field {
    /// Is the variable part of the schema?
    #[must_use]
    pub fn is_shown(&self) -> bool {
        !self.hidden && self.kind != Kind::External
    }

    /// The property's schema.
    #[must_use]
    pub fn schema(&self) -> Map<String, Value> {
        let mut description = self.hint.clone().unwrap_or_else(|| self.label.clone());
        let mut body = match &self.kind {
            Kind::Text { max_length } => {
                let mut body = typed("string");
                if self.required {
                    body.insert("minLength".to_owned(), json!(1));
                }
                if let Some(most) = max_length {
                    body.insert("maxLength".to_owned(), json!(most));
                }
                body
            }
            Kind::Select { options } => {
                let mut body = typed("string");
                // An empty enum is no schema that clients take; Dify itself then says that nothing fits.
                if !options.is_empty() {
                    body.insert("enum".to_owned(), json!(options));
                }
                body
            }
            Kind::Number => typed("number"),
            Kind::Checkbox => typed("boolean"),
            Kind::JsonObject { schema } => nested(schema.as_ref()),
            Kind::File(files) => {
                describe(&mut description, files, false);
                files.schema()
            }
            Kind::FileList { files, max_items } => {
                describe(&mut description, files, true);
                let mut body = files.list_schema(*max_items);
                if self.required {
                    body.insert("minItems".to_owned(), json!(1));
                }
                body
            }
            Kind::External | Kind::Other(_) => typed("string"),
        };
        body.insert("title".to_owned(), json!(self.label));
        // The author of a nested schema may have described the object there; a label is no better than that.
        if self.hint.is_some() || !body.contains_key("description") {
            body.insert("description".to_owned(), json!(description));
        }
        if let Some(default) = &self.default {
            body.insert("default".to_owned(), default.clone());
        }
        body
    }
}

fn typed(word: &str) -> Map<String, Value> {
    Map::from_iter([("type".to_owned(), json!(word))])
}

impl Files {
    /// A property that is such a file: to the guest a text, the reference by which the host knows it.
    #[must_use]
    pub fn schema(&self) -> Map<String, Value> {
        let mut body = typed("string");
        body.insert(FILE_MARKER.to_owned(), self.marker());
        body
    }

    /// A property that is a list of such files.
    #[must_use]
    pub fn list_schema(&self, most: Option<u64>) -> Map<String, Value> {
        let mut body = typed("array");
        body.insert("items".to_owned(), json!({ "type": "string" }));
        if let Some(most) = most {
            body.insert("maxItems".to_owned(), json!(most));
        }
        body.insert(FILE_MARKER.to_owned(), self.marker());
        body
    }
}

fn describe(description: &mut String, files: &Files, many: bool) {
    if !description.ends_with(['.', '!', '?', '。']) {
        description.push('.');
    }
    description.push(' ');
    description.push_str(&files.sentence(many));
}

/// The author's schema of an object, one level deeper than it was written for. A `$ref` of it points at a root that is
/// not there any more, so a schema with one becomes "any object"; `$schema` and `$id` have no place inside another schema.
fn nested(schema: Option<&Map<String, Value>>) -> Map<String, Value> {
    let Some(schema) =
        schema.filter(|schema| !schema.values().any(has_reference) && !schema.contains_key("$ref"))
    else {
        return typed("object");
    };
    let mut body = typed("object");
    body.extend(
        schema
            .iter()
            .filter(|(key, _)| !["$schema", "$id", "type"].contains(&key.as_str()))
            .map(|(key, value)| (key.clone(), value.clone())),
    );
    body
}

fn has_reference(value: &Value) -> bool {
    match value {
        Value::Object(object) => object.contains_key("$ref") || object.values().any(has_reference),
        Value::Array(list) => list.iter().any(has_reference),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
