//! What a caller writes for a file: an object with one of `url`, `data` and `handle`; or, as many write it, a text that is
//! one of these by itself.

use std::borrow::Cow;

use data_encoding::{BASE64, BASE64_MIME_PERMISSIVE, BASE64_NOPAD};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

use super::fetch::is_plain;
use super::handle::SCHEME;
use super::names;

/// Longest address.
const LONGEST_URL: usize = 4 << 10;

/// A file as it was given. The bytes are not decoded yet: whether they may come is judged first.
#[derive(Debug)]
pub(super) enum Given<'a> {
    Url(Url),
    Data(Data<'a>),
    Handle(Cow<'a, str>),
}

/// A file in a caller's own words.
#[derive(Debug)]
pub(super) struct Data<'a> {
    pub(super) name: String,
    pub(super) mime_type: String,
    text: Cow<'a, str>,
    base64: bool,
}

/// What is wrong with it, and with which member.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rule {
    member: &'static str,
    words: String,
}

impl Rule {
    pub(super) fn new(words: impl Into<String>) -> Self {
        Self {
            member: "",
            words: words.into(),
        }
    }

    fn at(member: &'static str, words: impl Into<String>) -> Self {
        Self {
            member,
            words: words.into(),
        }
    }

    /// A sentence for the caller. No value is repeated in it.
    pub(super) fn of(&self, input: &str) -> String {
        let dot = if self.member.is_empty() { "" } else { "." };
        format!("`{input}{dot}{}` {}", self.member, self.words)
    }
}

impl<'a> Given<'a> {
    /// None for what is a way to leave it out.
    pub(super) fn read(value: &'a RawValue) -> Result<Option<Self>, Rule> {
        match value.get().as_bytes().first() {
            Some(b'{') => Self::of_object(value),
            Some(b'"') => Self::of_text(text(value, "")?),
            Some(b'n') => Ok(None),
            _ => Err(Rule::new(format!(
                "must be an object with one of url, data and handle, not {}",
                kind(value)
            ))),
        }
    }

    fn of_object(value: &'a RawValue) -> Result<Option<Self>, Rule> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Object<'a> {
            #[serde(borrow)]
            url: Option<&'a RawValue>,
            #[serde(borrow)]
            data: Option<&'a RawValue>,
            #[serde(borrow)]
            name: Option<&'a RawValue>,
            #[serde(borrow)]
            mime_type: Option<&'a RawValue>,
            #[serde(borrow)]
            handle: Option<&'a RawValue>,
        }
        let object: Object<'a> = serde_json::from_str(value.get()).map_err(|_| {
            Rule::new("has a member besides url, data, name, mime_type and handle, or one twice")
        })?;
        // A model that has to fill in everything writes "" where it has nothing to say.
        let member = |raw: Option<&'a RawValue>, name: &'static str| {
            let text = raw.map(|raw| text(raw, name)).transpose()?;
            Ok(text.filter(|text: &Cow<'a, str>| !text.trim().is_empty()))
        };
        let name = member(object.name, "name")?;
        let mime_type = member(object.mime_type, "mime_type")?;
        let ways = (
            member(object.url, "url")?,
            member(object.data, "data")?,
            member(object.handle, "handle")?,
        );
        match ways {
            (None, None, None) if name.is_none() && mime_type.is_none() => Ok(None),
            (Some(url), None, None) => address(&url, "url").map(Some),
            (None, Some(data), None) if data.starts_with("data:") => {
                data_url(data, name.as_deref()).map(Some)
            }
            (None, Some(data), None) => {
                let mime_type = mime_type.map(Cow::into_owned).unwrap_or_default();
                Data::new(name.as_deref(), mime_type, data, true).map(|data| Some(Self::Data(data)))
            }
            (None, None, Some(handle)) => Ok(Some(Self::Handle(handle))),
            _ => Err(Rule::new("must have exactly one of url, data and handle")),
        }
    }

    fn of_text(text: Cow<'a, str>) -> Result<Option<Self>, Rule> {
        if text.trim().is_empty() {
            return Ok(None);
        }
        if text.starts_with(SCHEME) {
            return Ok(Some(Self::Handle(text)));
        }
        if text.starts_with("data:") {
            return data_url(text, None).map(Some);
        }
        address(&text, "").map(Some)
    }
}

impl Data<'_> {
    fn new<'a>(
        name: Option<&str>,
        mime_type: String,
        text: Cow<'a, str>,
        base64: bool,
    ) -> Result<Data<'a>, Rule> {
        let mime_type = names::media_type(&mime_type);
        let name = match name.map(names::clean).filter(|name| !name.is_empty()) {
            Some(name) => name,
            None => names::of_type(&mime_type).ok_or_else(|| {
                Rule::at("name", "is missing: a file needs its name with its ending")
            })?,
        };
        Ok(Data {
            mime_type: names::type_of(&name, mime_type),
            name,
            text,
            base64,
        })
    }

    /// How many bytes it has, at most.
    pub(super) fn most_bytes(&self) -> usize {
        if self.base64 {
            self.text.len() / 4 * 3 + 3
        } else {
            self.text.len()
        }
    }

    pub(super) fn decoded(&self) -> Result<Vec<u8>, Rule> {
        let bytes = if self.base64 {
            let text = self.text.trim_ascii().as_bytes();
            // Strict first, which is nearly always right; then as mail has it, in lines; then without padding.
            BASE64
                .decode(text)
                .or_else(|_| BASE64_MIME_PERMISSIVE.decode(text))
                .or_else(|_| BASE64_NOPAD.decode(text))
                .map_err(|_| Rule::at("data", "is no base64"))?
        } else {
            percent_decode_str(&self.text).collect()
        };
        if bytes.is_empty() {
            return Err(Rule::new("is an empty file"));
        }
        Ok(bytes)
    }
}

fn address<'a>(text: &str, member: &'static str) -> Result<Given<'a>, Rule> {
    let url = Url::parse(text.trim()).ok().filter(is_plain);
    match url {
        Some(url) if text.len() <= LONGEST_URL => Ok(Given::Url(url)),
        Some(_) => Err(Rule::at(
            member,
            format!("is longer than {LONGEST_URL} bytes"),
        )),
        None => Err(Rule::at(member, "is no http or https address")),
    }
}

/// `data:application/pdf;name=report.pdf;base64,…`
fn data_url<'a>(text: Cow<'a, str>, name: Option<&str>) -> Result<Given<'a>, Rule> {
    let comma = text.find(',').ok_or_else(|| Rule::new("is no data: URL"))?;
    let head = text["data:".len()..comma].to_owned();
    let mut parts = head.split(';');
    let mime_type = parts.next().unwrap_or_default().to_owned();
    let (mut base64, mut told) = (false, None);
    for part in parts {
        match part.trim().split_once('=') {
            None => base64 |= part.trim().eq_ignore_ascii_case("base64"),
            Some(("name" | "filename", name)) => {
                told = Some(percent_decode_str(name).decode_utf8_lossy().into_owned());
            }
            Some(_) => {}
        }
    }
    let rest = match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[comma + 1..]),
        Cow::Owned(mut text) => {
            text.drain(..=comma);
            Cow::Owned(text)
        }
    };
    let name = name.or(told.as_deref());
    Data::new(name, mime_type, rest, base64).map(Given::Data)
}

/// A JSON text; borrowed where it has no escapes, which base64 does not need.
fn text<'a>(value: &'a RawValue, member: &'static str) -> Result<Cow<'a, str>, Rule> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    serde_json::from_str::<Text<'_>>(value.get())
        .map(|text| text.0)
        .map_err(|_| Rule::at(member, format!("must be a text, not {}", kind(value))))
}

/// What a value is, in words.
pub(super) fn kind(value: &RawValue) -> &'static str {
    match value.get().as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b'"') => "a text",
        Some(b't' | b'f') => "true or false",
        Some(b'n') => "null",
        _ => "a number",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn raw(value: &Value) -> Box<RawValue> {
        serde_json::value::to_raw_value(value).expect("JSON")
    }

    /// What a value is read as: `url …`, `name type bytes`, `handle …`, or a sentence.
    fn read(value: Value) -> String {
        match Given::read(&raw(&value)) {
            Ok(None) => "left out".into(),
            Ok(Some(Given::Url(url))) => format!("url {url}"),
            Ok(Some(Given::Handle(handle))) => format!("handle {handle}"),
            Ok(Some(Given::Data(data))) => match data.decoded() {
                Ok(bytes) => {
                    assert!(bytes.len() <= data.most_bytes());
                    format!(
                        "{} {} {}",
                        data.name,
                        data.mime_type,
                        String::from_utf8_lossy(&bytes)
                    )
                }
                Err(rule) => rule.of("doc"),
            },
            Err(rule) => rule.of("doc"),
        }
    }

    #[test]
    fn every_way_to_give_a_file_is_understood() {
        for (value, means) in [
            (
                json!({"url": "HTTPS://example.com/a.pdf"}),
                "url https://example.com/a.pdf",
            ),
            (
                json!("https://example.com/a.pdf"),
                "url https://example.com/a.pdf",
            ),
            (
                json!({"url": "", "data": "aGk=", "name": "a.txt", "mime_type": "", "handle": ""}),
                "a.txt text/plain hi",
            ),
            (
                json!({"data": "aGk=", "mime_type": "application/pdf"}),
                "file.pdf application/pdf hi",
            ),
            (
                json!({"data": "aG\r\nk=\n", "name": "x/a.txt"}),
                "a.txt text/plain hi",
            ),
            (
                json!({"data": "aGk", "name": "a"}),
                "a application/octet-stream hi",
            ),
            (
                json!("data:text/plain;name=n%20.txt;base64,aGk="),
                "n .txt text/plain hi",
            ),
            (
                json!({"data": "data:text/csv,a%2Cb", "name": "b.csv"}),
                "b.csv text/csv a,b",
            ),
            (json!("airlock-file:abc"), "handle airlock-file:abc"),
            (
                json!({"handle": "airlock-file:abc"}),
                "handle airlock-file:abc",
            ),
            (json!({"url": ""}), "left out"),
            (json!({}), "left out"),
            (json!(""), "left out"),
            (json!(null), "left out"),
        ] {
            assert_eq!(read(value.clone()), means, "{value}");
        }
    }

    #[test]
    fn a_wrong_file_is_told_what_is_wrong_with_it() {
        for (value, words) in [
            (
                json!(5),
                "`doc` must be an object with one of url, data and handle, not a number",
            ),
            (
                json!(["https://example.com"]),
                "`doc` must be an object with one of url, data and handle, not a list",
            ),
            (json!({"url": 5}), "`doc.url` must be a text, not a number"),
            (
                json!({"url": "file:///etc/passwd"}),
                "`doc.url` is no http or https address",
            ),
            (
                json!({"url": "http://me:pw@a/"}),
                "`doc.url` is no http or https address",
            ),
            (json!("report.pdf"), "`doc` is no http or https address"),
            (
                json!({"url": "http://a/", "data": "aGk="}),
                "`doc` must have exactly one of url, data and handle",
            ),
            (
                json!({"name": "a.pdf"}),
                "`doc` must have exactly one of url, data and handle",
            ),
            (
                json!({"path": "a.pdf"}),
                "`doc` has a member besides url, data, name, mime_type and handle, or one twice",
            ),
            (
                json!({"data": "aGk="}),
                "`doc.name` is missing: a file needs its name with its ending",
            ),
            (
                json!({"data": "%%%", "name": "a.txt"}),
                "`doc.data` is no base64",
            ),
            (json!("data:text/plain;base64"), "`doc` is no data: URL"),
            (json!("data:text/plain;base64,"), "`doc` is an empty file"),
        ] {
            assert_eq!(read(value.clone()), words, "{value}");
        }
    }

    #[test]
    fn base64_is_not_copied_before_it_is_decoded() {
        let value = raw(&json!({"data": "aGk=", "name": "a.txt"}));
        let Ok(Some(Given::Data(data))) = Given::read(&value) else {
            panic!("a file")
        };
        assert!(matches!(data.text, Cow::Borrowed(_)));
    }
}
