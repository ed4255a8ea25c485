//! Dify's JSON as it stands in the stream, read with as few demands as possible.
//!
//! Fields come, go and change their type between Dify's versions, so a field of an unexpected type counts as absent.
//! What is not named here is skipped while parsing; the inputs and outputs of nodes above all, which may be megabytes.

use std::time::Duration;

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

/// The fields that stand at the top of an event; which of them are there depends on the event.
#[derive(Debug, Deserialize)]
pub(crate) struct Envelope<'a> {
    pub(crate) event: String,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) task_id: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) workflow_run_id: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) conversation_id: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) id: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) answer: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) thought: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) belongs_to: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) metadata: Option<Map<String, Value>>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) files: Option<Vec<Value>>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) code: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) status: Option<u16>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) message: Option<String>,
    #[serde(borrow)]
    pub(crate) data: Option<&'a RawValue>,
}

impl Envelope<'_> {
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
    #[serde(default, deserialize_with = "loose")]
    pub(crate) text: Option<String>,
}

/// `node_*`, `iteration_*`, `loop_*`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct NodeData {
    #[serde(default, deserialize_with = "loose")]
    pub(crate) node_id: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) node_type: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) title: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) status: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) elapsed_time: Option<f64>,
    #[serde(default, deserialize_with = "loose")]
    pub(crate) index: Option<u64>,
    #[serde(default, deserialize_with = "loose")]
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
#[derive(Debug, Default, Deserialize)]
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
    pub(crate) reasons: Option<Vec<Value>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_another_type_counts_as_absent() {
        let json = r#"{"event":"message","task_id":7,"answer":["x"],"status":"odd","data":null,"new":{"a":[1]}}"#;
        let event: Envelope<'_> = serde_json::from_str(json).expect("readable all the same");
        assert_eq!(
            (
                event.event.as_str(),
                event.task_id,
                event.answer,
                event.status
            ),
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
        let event: Envelope<'_> = serde_json::from_str(&json).expect("readable");
        let node = event.data::<NodeData>().finished();
        assert_eq!(
            (node.id.as_str(), node.status.as_deref()),
            ("n", Some("succeeded"))
        );
    }
}
