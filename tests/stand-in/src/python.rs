//! JSON and values in the way Python writes them, since Dify's bodies and messages are Python's.

use std::io;

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, Serializer};

/// `json.dumps(value)`: spaces after `,` and `:`, and nothing but ASCII.
pub(crate) fn dumps(value: &Value) -> String {
    let mut out = Vec::new();
    value
        .serialize(&mut Serializer::with_formatter(&mut out, Spaced))
        .expect("a JSON value is written to memory without fail");
    String::from_utf8(out).expect("serde_json writes UTF-8")
}

struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        for letter in fragment.chars() {
            if letter.is_ascii() {
                out.write_all(&[letter as u8])?;
            } else {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

/// `repr(value)`, as it stands in validation messages.
pub(crate) fn repr(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("'{text}'"),
        Value::Array(items) => format!(
            "[{}]",
            items.iter().map(repr).collect::<Vec<_>>().join(", ")
        ),
        Value::Object(fields) => {
            let fields: Vec<_> = fields
                .iter()
                .map(|(key, value)| format!("'{key}': {}", repr(value)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
    }
}

/// `type(value).__name__`.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

/// Pydantic's report of one wrong field: what the field is, and the value it quotes.
pub(crate) fn pydantic(
    model: &str,
    field: &str,
    problem: &str,
    kind: &str,
    value: &Value,
) -> String {
    let mut quoted = repr(value);
    let letters: Vec<char> = quoted.chars().collect();
    // Pydantic keeps 25 characters of the beginning and 24 of the end.
    if letters.len() > 50 {
        quoted = letters[..25]
            .iter()
            .chain(&['.'; 3])
            .chain(&letters[letters.len() - 24..])
            .collect();
    }
    format!(
        "1 validation error for {model}\n{field}\n  {problem} [type={kind}, input_value={quoted}, input_type={}]\n    \
         For further information visit https://errors.pydantic.dev/2.12/v/{kind}",
        type_name(value)
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_is_spaced_and_ascii() {
        assert_eq!(
            dumps(&json!({"icon": "🤖", "list": [1, null]})),
            r#"{"icon": "\ud83e\udd16", "list": [1, null]}"#
        );
    }

    #[test]
    fn a_long_value_is_quoted_as_recorded() {
        let body = json!({"inputs": {}, "response_mode": "blocking", "user": "u1"});
        assert_eq!(
            pydantic(
                "ChatRequestPayload",
                "query",
                "Field required",
                "missing",
                &body
            ),
            "1 validation error for ChatRequestPayload\nquery\n  Field required [type=missing, input_value={'inputs': {}, \
             'response_...blocking', 'user': 'u1'}, input_type=dict]\n    For further information visit \
             https://errors.pydantic.dev/2.12/v/missing"
        );
    }
}
