use serde_json::{Map, Number, Value};

use crate::check;
use crate::files::Files;

/// One variable of a form.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The name under which Dify takes the value.
    pub variable: String,
    /// What a person reads beside the input; the variable's name where the app's author wrote nothing.
    pub label: String,
    /// The author's own words on the variable: its description, else its hint, else its placeholder.
    pub hint: Option<String>,
    /// What values the variable takes.
    pub kind: Kind,
    /// Does Dify refuse a run without it?
    pub required: bool,
    /// Hidden variables are accepted like any other, but shown to nobody.
    pub hidden: bool,
    /// The default as the kind's own JSON type; none where the app has none, or one that its own form would refuse.
    pub default: Option<Value>,
}

/// What values a variable takes, with the bounds that Dify puts on them.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// `text-input` and `paragraph`; the bound counts characters, not bytes.
    Text {
        /// The most characters; none where Dify has no bound.
        max_length: Option<u64>,
    },
    /// `select`; a stored list without options is kept empty, and Dify then refuses every value.
    Select {
        /// The words that Dify accepts.
        options: Vec<String>,
    },
    /// `number`: whole or not, without bounds.
    Number,
    /// `checkbox`.
    Checkbox,
    /// `json_object`.
    JsonObject {
        /// The author's schema of the object. Dify stores it as an object or as JSON text.
        schema: Option<Map<String, Value>>,
    },
    /// `file`: one file mapping.
    File(Files),
    /// `file-list`: file mappings.
    FileList {
        /// What each file may be.
        files: Files,
        /// The most files.
        max_items: Option<u64>,
    },
    /// `external_data_tool`: Dify fills it, callers do not.
    External,
    /// A type that this crate has no word for.
    Other(String),
}

impl Field {
    pub(crate) fn parse(item: &Value) -> Option<Field> {
        let (word, body) = item
            .as_object()?
            .iter()
            .find_map(|(word, body)| Some((word.as_str(), body.as_object()?)))?;
        let variable = text(body, "variable")?;
        let kind = Kind::parse(word, body);
        let default = kind.default(&body.get("default").cloned().unwrap_or_default());
        Some(Field {
            label: text(body, "label").unwrap_or_else(|| variable.clone()),
            hint: ["description", "hint", "placeholder"]
                .iter()
                .find_map(|key| text(body, key)),
            required: flag(body, "required"),
            hidden: flag(body, "hide"),
            variable,
            kind,
            default,
        })
    }

    /// One input of a form that a paused run puts before a person.
    pub(crate) fn of_pause(item: &Value) -> Option<Field> {
        let body = item.as_object()?;
        let variable = text(body, "output_variable_name")?;
        let kind = match (
            body.get("type").and_then(Value::as_str)?,
            &item["option_source"],
        ) {
            ("select", Value::Object(source)) => match words(source, "value") {
                // Options that come from a variable are not always told.
                options if options.is_empty() => Kind::Text { max_length: None },
                options => Kind::Select { options },
            },
            ("file-list", _) => Kind::FileList {
                files: Files::parse(body),
                max_items: body.get("number_limits").and_then(Value::as_u64),
            },
            (word, _) => Kind::parse(word, body),
        };
        Some(Field {
            label: variable.clone(),
            hint: None,
            required: false,
            hidden: false,
            default: kind.default(&item["default"]["value"]),
            variable,
            kind,
        })
    }
}

impl Kind {
    fn parse(word: &str, body: &Map<String, Value>) -> Kind {
        // Every type of a workflow carries `options: []` and `max_length: null`; only the type says whether they count.
        match word {
            "text-input" | "paragraph" => Kind::Text {
                max_length: bound(body),
            },
            "select" => Kind::Select {
                options: words(body, "options"),
            },
            "number" => Kind::Number,
            "checkbox" => Kind::Checkbox,
            "json_object" => Kind::JsonObject {
                schema: body.get("json_schema").and_then(object),
            },
            "file" => Kind::File(Files::parse(body)),
            "file-list" => Kind::FileList {
                files: Files::parse(body),
                max_items: bound(body),
            },
            "external_data_tool" => Kind::External,
            other => Kind::Other(other.to_owned()),
        }
    }

    /// The stored default as a value to send. Dify stores numbers, booleans and objects as text at times, and `""` for
    /// "none"; an object sent as text makes every run fail.
    fn default(&self, stored: &Value) -> Option<Value> {
        let value = match self {
            Kind::Text { .. } | Kind::Select { .. } => stored.clone(),
            Kind::Number => match stored {
                Value::String(text) => Value::Number(number(text)?),
                other => other.clone(),
            },
            Kind::Checkbox => Value::Bool(boolean(stored)?),
            Kind::JsonObject { .. } => Value::Object(object(stored)?),
            Kind::File(_) | Kind::FileList { .. } | Kind::External => return None,
            Kind::Other(_) => stored.clone(),
        };
        let set = !value.is_null() && value != Value::String(String::new());
        (set && check::fits(self, &value).is_ok()).then_some(value)
    }
}

/// A number as Dify reads it from text: with a point as a float (`1.5e3`), without as an integer (`+4`, and so not `1e3`).
pub(crate) fn number(text: &str) -> Option<Number> {
    let text = text.trim();
    if text.contains('.') {
        return text.parse().ok().and_then(Number::from_f64);
    }
    let parsed = text.parse::<i64>().map(Number::from);
    // Python's integers have no end; one past 64 bits is a number all the same.
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let long = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    parsed.ok().or_else(|| {
        long.then(|| text.parse().ok().and_then(Number::from_f64))
            .flatten()
    })
}

/// A truth value as Dify reads it. Whatever else arrives is handed to the app unchanged, as a text that is neither.
pub(crate) fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::Number(number) => match number.as_f64() {
            Some(1.0) => Some(true),
            Some(0.0) => Some(false),
            _ => None,
        },
        Value::String(word) => match word.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" => Some(false),
            _ => None,
        },
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn object(value: &Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(object) => Some(object.clone()),
        Value::String(text) => serde_json::from_str(text).ok(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    }
}

fn text(body: &Map<String, Value>, key: &str) -> Option<String> {
    let text = body.get(key)?.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

pub(crate) fn flag(body: &Map<String, Value>, key: &str) -> bool {
    body.get(key).and_then(boolean).unwrap_or(false)
}

/// `max_length`; Dify takes 0 for "no bound".
fn bound(body: &Map<String, Value>) -> Option<u64> {
    let stored = body.get("max_length")?;
    let bound = stored
        .as_u64()
        .or_else(|| stored.as_str()?.trim().parse().ok())?;
    (bound > 0).then_some(bound)
}

pub(crate) fn words(body: &Map<String, Value>, key: &str) -> Vec<String> {
    let list = body.get(key).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}
