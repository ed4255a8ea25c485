//! JSON-RPC 2.0 as MCP narrows it, read without copying: no tree of values is built, and whatever is not needed stays
//! text.
//!
//! A member named twice is refused, in the envelope and in `params`: a proxy before us may have read the other one.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, SeqAccess, Visitor},
};
use serde_json::{error::Category, value::RawValue};

use crate::fault::Fault;

/// Messages of one batch; only 2025-03-26 and older have batches.
pub(crate) const BATCH_MAX: usize = 32;

/// Bytes of an id or a progress token: both are kept and sent back.
const TOKEN_MAX: usize = 256;

/// Levels of nesting, as serde_json has it where it recurses; text that is only skipped over has no bound of its own.
const DEPTH_MAX: usize = 127;

/// What one POST carries.
pub(crate) enum Posted<'a> {
    Single(Result<Message<'a>, Malformed<'a>>),
    Batch(Vec<&'a RawValue>),
}

/// One message.
#[derive(Debug)]
pub(crate) enum Message<'a> {
    Request(Request<'a>),
    Notification {
        method: Cow<'a, str>,
        params: Option<&'a RawValue>,
    },
    /// A client's answer to a request of ours.
    Response(Response<'a>),
}

#[derive(Debug)]
pub(crate) struct Response<'a> {
    pub(crate) id: Option<Id<'a>>,
    /// None where the client answered with an error.
    pub(crate) result: Option<&'a RawValue>,
}

#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) id: Id<'a>,
    pub(crate) method: Cow<'a, str>,
    pub(crate) params: Option<&'a RawValue>,
}

/// A message that is none, and the request it would have been if that much could be read.
#[derive(Debug)]
pub(crate) struct Malformed<'a> {
    pub(crate) id: Option<Id<'a>>,
    pub(crate) fault: Fault,
}

/// A string or an integer, as raw JSON of at most 256 bytes. Used for ids and for progress tokens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Id<'a>(&'a str);

impl<'a> Message<'a> {
    /// The id of a request.
    pub(crate) fn id(&self) -> Option<Id<'a>> {
        match self {
            Self::Request(request) => Some(request.id),
            Self::Notification { .. } | Self::Response(_) => None,
        }
    }

    /// None for a response.
    pub(crate) fn method(&self) -> Option<&str> {
        match self {
            Self::Request(Request { method, .. }) | Self::Notification { method, .. } => {
                Some(method)
            }
            Self::Response(_) => None,
        }
    }

    pub(crate) fn params(&self) -> Option<&'a RawValue> {
        match self {
            Self::Request(Request { params, .. }) | Self::Notification { params, .. } => *params,
            Self::Response(_) => None,
        }
    }
}

impl<'a> Id<'a> {
    /// None for null, floats, booleans, containers, and what is too long to send back.
    pub(crate) fn parse(raw: &'a RawValue) -> Option<Self> {
        let text = raw.get();
        let digits = text.strip_prefix('-').unwrap_or(text);
        let fits = text.starts_with('"') || digits.bytes().all(|byte| byte.is_ascii_digit());
        (fits && text.len() <= TOKEN_MAX).then_some(Self(text))
    }

    /// As the client wrote it.
    pub(crate) fn as_str(self) -> &'a str {
        self.0
    }

    /// The same for all spellings of one id: a client may escape a string differently when it cancels.
    pub(crate) fn key(self) -> Box<str> {
        let respelled = self
            .0
            .contains('\\')
            .then(|| serde_json::from_str::<String>(self.0).ok())
            .flatten();
        match respelled {
            Some(text) => serde_json::Value::from(text).to_string().into(),
            None => self.0.into(),
        }
    }
}

/// Reads a body. Whether a batch is allowed is for the caller to say.
pub(crate) fn read(body: &[u8]) -> Result<Posted<'_>, Fault> {
    // JSON is UTF-8, also where nobody looks (RFC 8259, 8.1).
    let body = str::from_utf8(body).map_err(|_error| Fault::NotJson)?;
    let first = body.bytes().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(b'[') {
        serde_json::from_str::<Items<'_>>(body)
            .map(|items| Posted::Batch(items.0))
            .map_err(|error| fault(&error))
    } else {
        Ok(Posted::Single(message(serde_json::from_str(body))))
    }
}

/// Reads one item of a batch.
pub(crate) fn item(raw: &RawValue) -> Result<Message<'_>, Malformed<'_>> {
    message(serde_json::from_str(raw.get()))
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    method: Option<&'a RawValue>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
}

/// Tells `null` from absent, which decides between a malformed request and a notification.
pub(crate) fn present<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

fn message(read: serde_json::Result<Envelope<'_>>) -> Result<Message<'_>, Malformed<'_>> {
    let envelope = read.map_err(|error| Malformed {
        id: None,
        fault: fault(&error),
    })?;
    let id = envelope.id.and_then(Id::parse);
    let malformed = |what| Malformed {
        id,
        fault: Fault::Invalid(what),
    };

    if envelope.jsonrpc.and_then(text).as_deref() != Some("2.0") {
        return Err(malformed("jsonrpc must be \"2.0\""));
    }
    let Some(method) = envelope.method else {
        return if envelope.result.is_some() || envelope.error.is_some() {
            Ok(Message::Response(Response {
                id,
                result: envelope.result,
            }))
        } else {
            Err(malformed("method is missing"))
        };
    };
    let method = text(method).ok_or_else(|| malformed("method must be a string"))?;
    if envelope.params.is_some_and(|params| !is_object(params)) {
        return Err(malformed("params must be an object"));
    }
    match (envelope.id, id) {
        (None, _) => Ok(Message::Notification {
            method,
            params: envelope.params,
        }),
        (Some(_), Some(id)) => Ok(Message::Request(Request {
            id,
            method,
            params: envelope.params,
        })),
        (Some(_), None) => Err(malformed(
            "id must be a string or an integer, of at most 256 bytes",
        )),
    }
}

fn fault(error: &serde_json::Error) -> Fault {
    match error.classify() {
        Category::Syntax | Category::Eof | Category::Io => Fault::NotJson,
        Category::Data => Fault::Invalid(
            "the body must be one JSON-RPC 2.0 message that names no member twice, or at most 32 of them",
        ),
    }
}

/// A batch's items, counted while they are read.
struct Items<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Items<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Counted;
        impl<'de> Visitor<'de> for Counted {
            type Value = Items<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a batch")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Items<'de>, A::Error> {
                let mut batch = Vec::new();
                while let Some(item) = items.next_element()? {
                    if batch.len() == BATCH_MAX {
                        return Err(A::Error::custom("too many"));
                    }
                    batch.push(item);
                }
                if batch.is_empty() {
                    Err(A::Error::custom("too few"))
                } else {
                    Ok(Items(batch))
                }
            }
        }
        deserializer.deserialize_seq(Counted)
    }
}

/// The text of a JSON string; none for anything else, and for one that no UTF-8 text can hold (a lone surrogate).
pub(crate) fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str(raw.get()).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

pub(crate) fn is_object(raw: &RawValue) -> bool {
    raw.get().starts_with('{')
}

/// Is this valid JSON nested deeper than what readers that recurse can stand?
pub(crate) fn is_too_deep(raw: &RawValue) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in raw.get().bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return true;
                }
            }
            b']' | b'}' => depth -= 1,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> &RawValue {
        serde_json::from_str(text).expect("a test's JSON")
    }

    #[test]
    fn all_spellings_of_an_id_have_one_key() {
        let key = |text| Id::parse(raw(text)).expect("an id").key();
        assert_eq!(key(r#""a\u002fb""#), key(r#""a/b""#));
        assert_eq!(&*key("0"), "0");
        assert_ne!(key("1"), key(r#""1""#));
        assert_eq!(&*key(r#""\ud800""#), r#""\ud800""#);
    }

    #[test]
    fn only_strings_and_integers_are_ids() {
        for good in ["0", "-7", "18446744073709551616", r#""""#, r#""x""#] {
            assert!(Id::parse(raw(good)).is_some(), "{good}");
        }
        let long = format!("\"{}\"", "x".repeat(255));
        for bad in ["null", "1.0", "1e3", "true", "[]", "{}", &long] {
            assert!(Id::parse(raw(bad)).is_none(), "{bad}");
        }
    }

    #[test]
    fn what_is_not_utf_8_is_no_json_even_where_nobody_reads_it() {
        let body = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"other\":\"\xff\"}";
        assert!(matches!(read(body), Err(Fault::NotJson)));
    }

    #[test]
    fn brackets_in_strings_are_no_depth() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(!is_too_deep(raw(&nested(127))));
        assert!(is_too_deep(raw(&nested(128))));
        assert!(!is_too_deep(raw(&format!(
            r#"{{"a":"\"\\{}"}}"#,
            "[".repeat(200)
        ))));
    }
}
