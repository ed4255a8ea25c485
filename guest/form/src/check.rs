use serde_json::{Map, Value};

use crate::fault::{Fault, Rule};
use crate::field::{Field, Kind, boolean, number};
use crate::form::Form;

impl Form {
    /// Does Dify take these inputs, and as what they are meant? Run it on what [`Form::complete`] returned: a required
    /// variable counts as missing even where the form has a default, because Dify ignores that default.
    ///
    /// Checked here, because Dify answers late, loosely or (when streaming) with silence: unknown variables, which it
    /// drops; an empty required text, which it accepts; a checkbox that is neither true nor false, which it passes on.
    /// What Dify converts rightly (`"4"` for a number, `"yes"` for a checkbox) passes. Of a `json_object` only that it is
    /// one: its schema was the business of whoever checked the tool's arguments.
    ///
    /// # Errors
    /// Every input that does not fit, in the form's order, unknown ones last.
    pub fn check(&self, inputs: &Map<String, Value>) -> Result<(), Vec<Fault>> {
        let known = self.fields.iter().filter_map(|field| {
            let rule = field.check(inputs.get(&field.variable)).err()?;
            Some(Fault {
                variable: field.variable.clone(),
                rule,
            })
        });
        let unknown = inputs
            .keys()
            .filter(|name| self.field(name).is_none())
            .map(|name| {
                let shown = self
                    .fields
                    .iter()
                    .filter(|field| field.is_shown())
                    .map(|field| field.variable.clone());
                Fault {
                    variable: name.clone(),
                    rule: Rule::Unknown(shown.collect()),
                }
            });
        let faults: Vec<Fault> = known.chain(unknown).collect();
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults)
        }
    }
}

impl Field {
    fn check(&self, value: Option<&Value>) -> Result<(), Rule> {
        let reserved = self.kind == Kind::External;
        match value {
            Some(_) if reserved => Err(Rule::Reserved),
            None | Some(Value::Null) if self.required && !reserved => Err(Rule::Missing),
            None | Some(Value::Null) => Ok(()),
            Some(Value::String(text)) if text.is_empty() && self.required => Err(Rule::Empty),
            Some(value) => fits(&self.kind, value),
        }
    }
}

/// Is `value`, which is not null, one that Dify takes for this kind?
pub(crate) fn fits(kind: &Kind, value: &Value) -> Result<(), Rule> {
    match kind {
        Kind::Text { max_length } => {
            let text = value.as_str().ok_or_else(|| wrong("a text", value))?;
            let got = text.chars().count() as u64;
            match max_length {
                Some(most) if got > *most => Err(Rule::TooLong { most: *most, got }),
                _ => Ok(()),
            }
        }
        Kind::Select { options } => match value {
            // Dify refuses "" even for an optional select.
            Value::String(word) if options.contains(word) => Ok(()),
            Value::String(_) => Err(Rule::NotAnOption(options.clone())),
            _ => Err(wrong("a text", value)),
        },
        Kind::Number => match value {
            Value::Number(_) => Ok(()),
            // Blank is Dify's "no value".
            Value::String(text) if text.trim().is_empty() || number(text).is_some() => Ok(()),
            _ => Err(wrong("a number", value)),
        },
        Kind::Checkbox if boolean(value).is_some() => Ok(()),
        Kind::Checkbox => Err(wrong("true or false", value)),
        Kind::JsonObject { .. } if value.is_object() => Ok(()),
        Kind::JsonObject { .. } => Err(wrong("an object", value)),
        // Dify takes "" for an optional file that was not chosen.
        Kind::File(_) if value.is_object() || *value == "" => Ok(()),
        Kind::File(_) => Err(wrong("a file mapping", value)),
        Kind::FileList { max_items, .. } => {
            let list = value
                .as_array()
                .ok_or_else(|| wrong("a list of file mappings", value))?;
            if let Some(item) = list.iter().find(|item| !item.is_object()) {
                return Err(Rule::Kind {
                    expected: "a list of file mappings",
                    got: listed(item),
                });
            }
            let got = list.len() as u64;
            match max_items {
                Some(most) if got > *most => Err(Rule::TooMany { most: *most, got }),
                _ => Ok(()),
            }
        }
        Kind::External | Kind::Other(_) => Ok(()),
    }
}

fn wrong(expected: &'static str, value: &Value) -> Rule {
    let got = match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    Rule::Kind { expected, got }
}

fn listed(item: &Value) -> &'static str {
    match item {
        Value::Null => "a list with null",
        Value::Bool(_) => "a list with true or false",
        Value::Number(_) => "a list with a number",
        Value::String(_) => "a list with a text",
        Value::Array(_) => "a list of lists",
        Value::Object(_) => "a list of objects",
    }
}
