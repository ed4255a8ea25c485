//! Headers that say what the body says (SEP-2243), so that whoever stands between can route by them. Where the two
//! disagree somebody was deceived, so the request is refused.

use std::borrow::Cow;

use data_encoding::BASE64;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::value::RawValue;

use crate::{Tools, envelope::text, fault::Fault, params::Params, serve::VERSION_HEADER};

static METHOD_HEADER: HeaderName = HeaderName::from_static("mcp-method");
static NAME_HEADER: HeaderName = HeaderName::from_static("mcp-name");

/// The version that the header names.
pub(super) fn version(headers: &HeaderMap) -> Result<&str, Fault> {
    let value = one(headers, &VERSION_HEADER)?;
    value
        .and_then(|value| value.to_str().ok())
        .ok_or_else(|| mismatch("MCP-Protocol-Version is missing, or no text"))
}

/// Method, name and mirrored arguments.
pub(super) fn check(
    headers: &HeaderMap,
    tools: &Tools,
    method: &str,
    params: &Params<'_>,
) -> Result<(), Fault> {
    let header = one(headers, &METHOD_HEADER)?;
    if header.is_none_or(|header| header.as_bytes() != method.as_bytes()) {
        return Err(mismatch(
            "Mcp-Method is missing, or not the method of the body",
        ));
    }
    let name = match method {
        "tools/call" | "prompts/get" => params.name,
        "resources/read" => params.uri,
        "tasks/get" | "tasks/update" | "tasks/cancel" => params.task_id,
        _ => return Ok(()),
    };
    // A body without a name has another fault.
    let Some(name) = name.and_then(text) else {
        return Ok(());
    };
    let header = one(headers, &NAME_HEADER)?.and_then(decoded);
    if header.is_none_or(|header| header != name) {
        return Err(mismatch("Mcp-Name is missing, or not the name in the body"));
    }
    if method == "tools/call" {
        arguments(headers, tools, &name, params.arguments)?;
    }
    Ok(())
}

fn arguments(
    headers: &HeaderMap,
    tools: &Tools,
    tool: &str,
    arguments: Option<&RawValue>,
) -> Result<(), Fault> {
    for mirrored in tools.mirrored(tool) {
        let header = one(headers, &mirrored.header)?;
        let value = mirrored.value(arguments);
        let agree = match (header, value) {
            (None, None) => true,
            (Some(header), Some(value)) => {
                decoded(header).is_some_and(|header| says(&header, value))
            }
            (Some(_), None) | (None, Some(_)) => false,
        };
        if !agree {
            return Err(Fault::Header(format!(
                "{} and the argument that it mirrors disagree",
                mirrored.header
            )));
        }
    }
    Ok(())
}

/// A header that came twice says two things.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a HeaderValue>, Fault> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    match values.next() {
        None => Ok(first),
        Some(_) => Err(Fault::Header(format!("{name} is there twice"))),
    }
}

/// What a value means: `=?base64?…?=` is text that no header could hold as it is. None for what is neither visible ASCII
/// nor the base64 of text.
fn decoded(value: &HeaderValue) -> Option<Cow<'_, str>> {
    let value = value.to_str().ok()?;
    let coded = value
        .strip_prefix("=?base64?")
        .and_then(|rest| rest.strip_suffix("?="));
    match coded {
        Some(coded) => {
            let bytes = BASE64.decode(coded.as_bytes()).ok()?;
            String::from_utf8(bytes).ok().map(Cow::Owned)
        }
        None => Some(Cow::Borrowed(value)),
    }
}

/// Does the header say the argument's value? Numbers are compared as such.
fn says(header: &str, value: &RawValue) -> bool {
    let raw = value.get();
    match raw.as_bytes().first() {
        Some(b'"') => text(value).is_some_and(|text| text == header),
        Some(b'-' | b'0'..=b'9') => match (header.parse::<i128>(), raw.parse::<i128>()) {
            (Ok(header), Ok(value)) => header == value,
            _ => match (header.parse::<f64>(), raw.parse::<f64>()) {
                (Ok(header), Ok(value)) => header.is_finite() && header == value,
                _ => false,
            },
        },
        _ => raw == header,
    }
}

fn mismatch(what: &str) -> Fault {
    Fault::Header(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_sentinel_is_decoded() {
        let value =
            |text: &'static str| decoded(&HeaderValue::from_static(text)).map(Cow::into_owned);
        assert_eq!(value("=?base64?SGVsbG8=?=").as_deref(), Some("Hello"));
        assert_eq!(value("=?base64?w6k=?=").as_deref(), Some("é"));
        for literal in [
            "SGVsbG8=",
            "=?base64?SGVsbG8=",
            "SGVsbG8=?=",
            "=?BASE64?SGVsbG8=?=",
        ] {
            assert_eq!(value(literal).as_deref(), Some(literal));
        }
        for bad in [
            "=?base64?SGVsbG8?=",
            "=?base64?SGVs!!!bG8=?=",
            "=?base64?/w==?=",
        ] {
            assert_eq!(value(bad), None, "{bad}");
        }
    }

    #[test]
    fn numbers_agree_by_value_and_texts_by_letter() {
        let says = |header, json: &str| says(header, serde_json::from_str(json).expect("JSON"));
        assert!(says("1", "1.0") && says("1e2", "100") && says("-0", "0"));
        assert!(!says("1", "2") && !says("NaN", "1") && !says("inf", "1e400"));
        // Beyond what a float can tell apart.
        assert!(!says("9007199254740993", "9007199254740992"));
        assert!(says("true", "true") && !says("True", "true"));
        assert!(says("a\"b", r#""a\"b""#) && !says("A", r#""a""#) && !says("1", r#""1.0""#));
    }
}
