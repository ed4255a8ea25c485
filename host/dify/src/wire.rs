//! Dify's JSON as it stands in the stream, read with as few demands as possible.
//!
//! Fields come, go and change their type between Dify's versions, so a field of an unexpected type counts as absent.
//! What is not named here is skipped while parsing; the inputs and outputs of nodes above all, which may be megabytes: an
//! event that tells of a step is read in one pass, and nothing of it is copied but its names.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::Node;

/// Reads a field if it has the type that is looked for.
fn loose<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(raw.get()).ok())
}

/// The same for a text, without looking at it twice.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cow<'de, str>>, D::Error> {
    Ok(match deserializer.deserialize_any(Any)? {
        Scalar::Text(text) => Some(text),
        Scalar::Whole(_) | Scalar::Real(_) | Scalar::Other => None,
    })
}

/// The same for a text that is kept.
fn owned<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(text(deserializer)?.map(Cow::into_owned))
}

/// The same for a count.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(match deserializer.deserialize_any(Any)? {
        Scalar::Whole(number) => Some(number),
        Scalar::Text(_) | Scalar::Real(_) | Scalar::Other => None,
    })
}

/// The same for a number.
fn real<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    Ok(match deserializer.deserialize_any(Any)? {
        Scalar::Real(number) => Some(number),
        Scalar::Whole(number) => Some(number as f64),
        Scalar::Text(_) | Scalar::Other => None,
    })
}

enum Scalar<'de> {
    Text(Cow<'de, str>),
    Whole(u64),
    Real(f64),
    Other,
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Scalar::Whole(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Real(number))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Scalar::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Other)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
}

/// Does the JSON begin by saying that it tells of a step: a node, an iteration, a loop? Such an event may be missed, since
/// nothing of it is part of the answer.
pub(crate) fn is_step(json: &[u8]) -> bool {
    let head = &json[..json.len().min(64)];
    let mut parts = head.split(|&byte| byte == b'"').map(<[u8]>::trim_ascii);
    let begins = [b"{".as_slice(), b"event", b":"]
        .into_iter()
        .all(|part| parts.next() == Some(part));
    let name = parts.next().unwrap_or_default();
    begins
        && [b"node_".as_slice(), b"iteration_", b"loop_"]
            .into_iter()
            .any(|word| name.starts_with(word))
}

/// An event of which `data` is not read yet.
pub(crate) type AnyEvent<'a> = Envelope<'a, &'a RawValue>;
/// An event that tells of a step.
pub(crate) type Step<'a> = Envelope<'a, NodeData>;

/// The fields that stand at the top of an event; which of them are there depends on the event.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "D: Deserialize<'de>"))]
pub(crate) struct Envelope<'a, D> {
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
    pub(crate) data: Option<D>,
}

impl AnyEvent<'_> {
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

/// `node_*`, `iteration_*`, `loop_*`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct NodeData {
    #[serde(default, deserialize_with = "owned")]
    pub(crate) node_id: Option<String>,
    #[serde(default, deserialize_with = "owned")]
    pub(crate) node_type: Option<String>,
    #[serde(default, deserialize_with = "owned")]
    pub(crate) title: Option<String>,
    #[serde(default, deserialize_with = "owned")]
    pub(crate) status: Option<String>,
    #[serde(default, deserialize_with = "real")]
    pub(crate) elapsed_time: Option<f64>,
    #[serde(default, deserialize_with = "whole")]
    pub(crate) index: Option<u64>,
    #[serde(default, deserialize_with = "whole")]
    pub(crate) retry_index: Option<u64>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) metadata: Option<Lengths>,
}

/// How many rounds there are to be.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Lengths {
    #[serde(default, deserialize_with = "loose")]
    pub(crate) iteration_length: Option<u64>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) loop_length: Option<u64>,
}

impl NodeData {
    pub(crate) fn started(self) -> Node {
        Node {
            status: None,
            elapsed: None,
            ..self.finished()
        }
    }

    pub(crate) fn finished(self) -> Node {
        Node {
            id: self.node_id.unwrap_or_default(),
            kind: self.node_type.unwrap_or_default(),
            title: self.title.unwrap_or_default(),
            status: self.status,
            elapsed: self
                .elapsed_time
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        }
    }
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

    #[test]
    fn inputs_and_outputs_of_a_node_are_passed_over_however_deep_they_are() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let json = format!(
            r#"{{"event":"node_finished","data":{{"node_id":"n","inputs":{deep},"status":"succeeded"}}}}"#
        );
        let later: AnyEvent<'_> = serde_json::from_str(&json).expect("readable");
        let at_once: Step<'_> = serde_json::from_str(&json).expect("readable");
        for node in [later.data(), at_once.data.unwrap_or_default()] {
            let node = node.finished();
            assert_eq!(
                (node.id.as_str(), node.status.as_deref()),
                ("n", Some("succeeded"))
            );
        }
    }

    #[test]
    fn what_tells_of_a_step_is_seen_at_its_beginning() {
        for step in [
            r#"{"event":"node_finished","data":{}}"#,
            r#" { "event" : "loop_next"}"#,
            r#"{"event": "iteration_started", "x"#,
        ] {
            assert!(is_step(step.as_bytes()), "{step}");
        }
        for other in [
            r#"{"event":"message","answer":"node_"}"#,
            r#"{"answer":"event","event":"node_started"}"#,
            r#"{"event":"nod"#,
            r#"["event","node_started"]"#,
            "",
        ] {
            assert!(!is_step(other.as_bytes()), "{other}");
        }
    }
}
