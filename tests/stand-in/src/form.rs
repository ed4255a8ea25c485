//! Forms as `/parameters` shows them, and what Dify says of the inputs it is given.

use serde_json::{Map, Value, json};

use crate::answer::Refusal;
use crate::python;

/// An app's form.
#[derive(Clone)]
pub(crate) struct Form {
    /// Whether a start node holds it (workflow, chatflow). Those apply defaults and show more keys; the simple
    /// modes never apply a default and show what their editor stored.
    flow: bool,
    fields: Vec<Field>,
}

/// One variable of a form.
#[derive(Clone)]
pub(crate) struct Field {
    kind: Kind,
    variable: &'static str,
    label: &'static str,
    required: bool,
    max_length: Option<usize>,
    options: &'static [&'static str],
    default: Option<Value>,
    json_schema: Option<String>,
    /// The kinds of files, and the ways in which they come.
    files: Option<[&'static [&'static str]; 2]>,
}

/// The input types that the sample apps use.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Text,
    Paragraph,
    Select,
    Number,
    Checkbox,
    JsonObject,
    File,
    FileList,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Text => "text-input",
            Self::Paragraph => "paragraph",
            Self::Select => "select",
            Self::Number => "number",
            Self::Checkbox => "checkbox",
            Self::JsonObject => "json_object",
            Self::File => "file",
            Self::FileList => "file-list",
        }
    }
}

impl Field {
    pub(crate) fn new(kind: Kind, variable: &'static str, label: &'static str) -> Self {
        Self {
            kind,
            variable,
            label,
            required: false,
            max_length: None,
            options: &[],
            default: None,
            json_schema: None,
            files: None,
        }
    }

    pub(crate) fn required(self) -> Self {
        Self {
            required: true,
            ..self
        }
    }

    pub(crate) fn max_length(self, characters: usize) -> Self {
        let max_length = Some(characters);
        Self { max_length, ..self }
    }

    pub(crate) fn options(self, options: &'static [&'static str]) -> Self {
        Self { options, ..self }
    }

    pub(crate) fn default(self, value: impl Into<Value>) -> Self {
        let default = Some(value.into());
        Self { default, ..self }
    }

    pub(crate) fn files(
        self,
        types: &'static [&'static str],
        methods: &'static [&'static str],
    ) -> Self {
        let files = Some([types, methods]);
        Self { files, ..self }
    }

    /// The schema is shown as a string that holds JSON, as Dify's editor stores it.
    pub(crate) fn json_schema(self, schema: &Value) -> Self {
        let json_schema = Some(python::dumps(schema));
        Self {
            json_schema,
            ..self
        }
    }

    /// The raw variable of a start node: every key, the type repeated, `default` only where there is one.
    fn of_start_node(&self) -> Value {
        let mut shown = Map::new();
        if let Some([types, methods]) = self.files {
            shown.insert("allowed_file_extensions".into(), json!([]));
            shown.insert("allowed_file_types".into(), json!(types));
            shown.insert("allowed_file_upload_methods".into(), json!(methods));
        }
        if let Some(default) = &self.default {
            shown.insert("default".into(), default.clone());
        }
        if let Some(schema) = &self.json_schema {
            shown.insert("json_schema".into(), json!(schema));
        }
        shown.insert("label".into(), json!(self.label));
        shown.insert("max_length".into(), json!(self.max_length));
        shown.insert("options".into(), json!(self.options));
        shown.insert("required".into(), json!(self.required));
        shown.insert("type".into(), json!(self.kind.name()));
        shown.insert("variable".into(), json!(self.variable));
        json!({self.kind.name(): shown})
    }

    /// What the editor of the simple modes stored: `default` is `""` where there is none, and there is no type.
    fn of_simple_app(&self) -> Value {
        let mut shown = Map::new();
        shown.insert(
            "default".into(),
            self.default.clone().unwrap_or_else(|| json!("")),
        );
        shown.insert("label".into(), json!(self.label));
        if let Some(max_length) = self.max_length {
            shown.insert("max_length".into(), json!(max_length));
        }
        if !self.options.is_empty() {
            shown.insert("options".into(), json!(self.options));
        }
        shown.insert("required".into(), json!(self.required));
        shown.insert("variable".into(), json!(self.variable));
        json!({self.kind.name(): shown})
    }

    /// The value that Dify goes on with.
    fn accept(&self, value: &Value) -> Result<Value, Refusal> {
        let name = self.variable;
        let wrong = |what: &str| {
            Err(Refusal::invalid(format!(
                "{name} in input form must be {what}"
            )))
        };
        match (self.kind, value) {
            (Kind::Text | Kind::Paragraph | Kind::Select, Value::String(text)) => {
                if let Some(max) = self.max_length.filter(|max| text.chars().count() > *max) {
                    return wrong(&format!("less than {max} characters"));
                }
                if matches!(self.kind, Kind::Select) && !self.options.contains(&text.as_str()) {
                    return wrong(&format!(
                        "one of the following: {}",
                        python::repr(&json!(self.options))
                    ));
                }
                // Dify strips NUL bytes, which its database cannot hold.
                Ok(text.replace('\0', "").into())
            }
            (kind @ (Kind::Text | Kind::Paragraph | Kind::Select), _) => {
                Err(Refusal::invalid(format!(
                    "(type '{}') {name} in input form must be a string",
                    kind.name()
                )))
            }
            (Kind::Number, Value::String(text)) if text.is_empty() => Ok(Value::Null),
            (Kind::Number, Value::String(text)) => {
                number(text).map_or_else(|| wrong("a valid number"), Ok)
            }
            // A list or an object is a TypeError that nobody catches.
            (Kind::Number, Value::Array(_) | Value::Object(_)) => Err(Refusal::crash()),
            (Kind::Checkbox, Value::String(text)) => Ok(match text.to_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => true.into(),
                "false" | "0" | "no" | "off" => false.into(),
                _ => value.clone(),
            }),
            (Kind::Checkbox, Value::Number(digit)) => Ok(match digit.as_i64() {
                Some(1) => true.into(),
                Some(0) => false.into(),
                Some(_) | None => value.clone(),
            }),
            (Kind::JsonObject, Value::Object(_)) => Ok(value.clone()),
            (Kind::JsonObject, _) => wrong("a dict"),
            (Kind::File, Value::Object(_)) => Ok(value.clone()),
            (Kind::File, _) => wrong("a file"),
            (Kind::FileList, Value::Array(items)) => {
                match self.max_length.filter(|max| items.len() > *max) {
                    Some(max) => wrong(&format!("less than {max} files")),
                    None => Ok(value.clone()),
                }
            }
            (Kind::FileList, _) => wrong("a list of files"),
            // Whatever is left passes as it is, a boolean for a number included.
            (Kind::Number | Kind::Checkbox, _) => Ok(value.clone()),
        }
    }
}

impl Form {
    /// The same with one more variable.
    pub(crate) fn and(&self, field: Field) -> Self {
        let mut form = self.clone();
        form.fields.push(field);
        form
    }

    /// The form of a workflow or chatflow.
    pub(crate) fn of_flow(fields: Vec<Field>) -> Self {
        Self { flow: true, fields }
    }

    /// The form of a chat, agent or completion app.
    pub(crate) fn of_simple_app(fields: Vec<Field>) -> Self {
        Self {
            flow: false,
            fields,
        }
    }

    /// `user_input_form` of `/parameters`.
    pub(crate) fn shown(&self) -> Value {
        let show = if self.flow {
            Field::of_start_node
        } else {
            Field::of_simple_app
        };
        self.fields.iter().map(show).collect()
    }

    /// The variables that hold files, among inputs that were accepted.
    pub(crate) fn files<'a>(&self, inputs: &'a mut Map<String, Value>) -> Vec<&'a mut Value> {
        let named = |name: &str| {
            let mut fields = self.fields.iter();
            fields.any(|field| field.variable == name && field.files.is_some())
        };
        let values = inputs.iter_mut().filter(|(name, _)| named(name));
        let values = values.flat_map(|(_, value)| match value {
            Value::Array(items) => items.iter_mut().collect(),
            Value::Object(_) => vec![value],
            _ => Vec::new(),
        });
        values.collect()
    }

    /// The inputs that a run goes on with: unknown ones dropped, the rest as Dify judges and converts them.
    ///
    /// Whether an object fits its `json_schema` is not judged here; a real Dify fails the run for it.
    pub(crate) fn accept(&self, given: &Map<String, Value>) -> Result<Map<String, Value>, Refusal> {
        let mut accepted = Map::new();
        for field in &self.fields {
            let value = match given.get(field.variable) {
                Some(value) if !value.is_null() => field.accept(value)?,
                _ if field.required => {
                    let message = format!("{} is required in input form", field.variable);
                    return Err(Refusal::invalid(message));
                }
                _ if self.flow => field.default.clone().unwrap_or(Value::Null),
                _ => Value::Null,
            };
            accepted.insert(field.variable.to_owned(), value);
        }
        Ok(accepted)
    }
}

/// Python's `float(text)` where there is a point, else `int(text)`: so `"1.5e3"` is a number and `"1e3"` is none.
fn number(text: &str) -> Option<Value> {
    let text = text.trim();
    if text.contains('.') {
        let float: f64 = text.parse().ok()?;
        serde_json::Number::from_f64(float).map(Value::Number)
    } else {
        text.parse::<i64>().ok().map(Value::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> Form {
        Form::of_flow(vec![
            Field::new(Kind::Text, "title_text", "Title")
                .required()
                .max_length(48),
            Field::new(Kind::Select, "lang", "Language").options(&["en", "zh", "ja"]),
            Field::new(Kind::Number, "count", "Count").default(3),
            Field::new(Kind::Checkbox, "verbose", "Verbose").default(false),
            Field::new(Kind::JsonObject, "cfg", "Config"),
        ])
    }

    fn verdict(given: Value) -> Result<Value, String> {
        let given = given.as_object().expect("tests give objects");
        let accepted = form().accept(given).map(Value::Object);
        accepted.map_err(|refusal| refusal.message)
    }

    #[test]
    fn wrong_inputs_get_the_recorded_words() {
        for (given, words) in [
            (json!({}), "title_text is required in input form"),
            (
                json!({"title_text": 5}),
                "(type 'text-input') title_text in input form must be a string",
            ),
            (
                json!({"title_text": "x".repeat(49)}),
                "title_text in input form must be less than 48 characters",
            ),
            (
                json!({"title_text": "T", "lang": "fr"}),
                "lang in input form must be one of the following: ['en', 'zh', 'ja']",
            ),
            (
                json!({"title_text": "T", "count": "many"}),
                "count in input form must be a valid number",
            ),
            (
                json!({"title_text": "T", "count": "1e3"}),
                "count in input form must be a valid number",
            ),
            (
                json!({"title_text": "T", "cfg": "x"}),
                "cfg in input form must be a dict",
            ),
        ] {
            assert_eq!(verdict(given.clone()), Err(words.to_owned()), "{given}");
        }
    }

    #[test]
    fn loose_inputs_are_converted_as_recorded() {
        assert_eq!(
            verdict(
                json!({"title_text": "", "lang": null, "count": "42", "verbose": "yes", "more": 1})
            ),
            Ok(json!({"title_text": "", "lang": null, "count": 42, "verbose": true, "cfg": null}))
        );
        assert_eq!(
            verdict(json!({"title_text": "T", "count": true, "verbose": "perhaps"})),
            Ok(
                json!({"title_text": "T", "lang": null, "count": true, "verbose": "perhaps", "cfg": null})
            )
        );
    }

    #[test]
    fn a_start_node_shows_every_key_and_a_simple_app_what_its_editor_stored() {
        assert_eq!(
            form().shown()[0],
            json!({"text-input": {"label": "Title", "max_length": 48, "options": [], "required": true,
                                  "type": "text-input", "variable": "title_text"}})
        );
        let simple = Form::of_simple_app(vec![
            Field::new(Kind::Text, "topic", "Topic")
                .required()
                .max_length(48),
        ]);
        assert_eq!(
            simple.shown(),
            json!([{"text-input": {"default": "", "label": "Topic", "max_length": 48, "required": true,
                                   "variable": "topic"}}])
        );
    }
}
