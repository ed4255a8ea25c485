//! Dify's JSON as it stands in the stream, read with as few demands as possible.
//!
//! Fields come, go and change their type between Dify's versions, so a field of an unexpected type counts as absent.
//! What is not named here is skipped while parsing. An event that tells of a step is read in `step.rs`.

use std::borrow::Cow;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Reads a field if it has the type that is looked for.
fn loose<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let raw = <&RawValue>::deserialize(deserializer)?;
    // Nothing at all is common, and no error, which would cost the making of its words.
    Ok(serde_json::from_str::<Option<T>>(raw.get()).ok().flatten())
}

/// The same for a text, without looking at it twice.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cow<'de, str>>, D::Error> {
    deserializer.deserialize_any(Any)
}

/// The same for a text that is kept.
fn owned<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(text(deserializer)?.map(Cow::into_owned))
}

/// A text, or something else.
struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Option<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

/// The bytes as text, whatever they are. Looking first is faster than the lossy way, which is taken where it must be.
pub(crate) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

/// By what an event names its run, as it stands.
pub(crate) struct Names<'a> {
    pub(crate) task: Option<&'a [u8]>,
    pub(crate) run: Option<&'a [u8]>,
    pub(crate) conversation: Option<&'a [u8]>,
}

/// The fields that stand at the top of an event; which of them are there depends on the event.
#[derive(Debug, Deserialize)]
pub(crate) struct AnyEvent<'a> {
    #[serde(borrow)]
    pub(crate) event: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "text")]
    pub(crate) task_id: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "text")]
    pub(crate) workflow_run_id: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "text")]
    pub(crate) conversation_id: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "text")]
    pub(crate) id: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "text")]
    pub(crate) answer: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "text")]
    pub(crate) thought: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "text")]
    pub(crate) belongs_to: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) metadata: Option<Map<String, Value>>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) files: Option<Vec<Value>>,
    #[serde(borrow, default, deserialize_with = "text")]
    pub(crate) code: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) status: Option<u16>,
    #[serde(borrow, default, deserialize_with = "text")]
    pub(crate) message: Option<Cow<'a, str>>,
    /// Not read yet.
    #[serde(borrow)]
    pub(crate) data: Option<&'a RawValue>,
}

impl AnyEvent<'_> {
    pub(crate) fn names(&self) -> Names<'_> {
        Names {
            task: self.task_id.as_deref().map(str::as_bytes),
            run: self.workflow_run_id.as_deref().map(str::as_bytes),
            conversation: self.conversation_id.as_deref().map(str::as_bytes),
        }
    }

    /// The `data` member as `T`, or `T`'s default: every field of those types is optional anyway.
    pub(crate) fn data<T: serde::de::DeserializeOwned + Default>(&self) -> T {
        self.data
            .and_then(|raw| serde_json::from_str(raw.get()).ok())
            .unwrap_or_default()
    }
}

/// `text_chunk` and `text_replace`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct TextData {
    #[serde(default, deserialize_with = "owned")]
    pub(crate) text: Option<String>,
}

/// How a workflow run stands: `workflow_finished`, `workflow_paused`, and the body of `GET /workflows/run/{id}`.
#[derive(Default, Deserialize)]
pub(crate) struct RunState {
    #[serde(default, deserialize_with = "loose")]
    pub(crate) status: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) outputs: Option<Map<String, Value>>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) error: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) total_tokens: Option<u64>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) total_steps: Option<u64>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) elapsed_time: Option<f64>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) files: Option<Vec<Value>>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) reasons: Option<Vec<HumanInput>>,
}

impl RunState {
    pub(crate) fn is_paused(&self) -> bool {
        self.status.as_deref() == Some("paused")
    }
}

/// `human_input_required`, and a reason of `workflow_paused`, which has its type besides. No `Debug`: it holds what opens the
/// form.
#[derive(Default, Deserialize)]
pub(crate) struct HumanInput {
    #[serde(default, rename = "TYPE", deserialize_with = "loose")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) form_id: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) node_title: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) form_content: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) inputs: Option<Vec<Value>>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) actions: Option<Vec<Value>>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) form_token: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) resolved_default_values: Option<Map<String, Value>>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) expiration_time: Option<u64>,
}

impl HumanInput {
    /// Later versions of Dify may pause for other reasons.
    pub(crate) fn is_form(&self) -> bool {
        self.kind.as_deref() == Some("human_input_required")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_another_type_counts_as_absent() {
        let json = r#"{"event":"message","task_id":7,"answer":["x"],"status":"odd","data":null,"new":{"a":[1]}}"#;
        let event: AnyEvent<'_> = serde_json::from_str(json).expect("readable all the same");
        assert_eq!(
            (&*event.event, event.task_id, event.answer, event.status),
            ("message", None, None, None)
        );
        assert!(event.data.is_none());
    }
}
