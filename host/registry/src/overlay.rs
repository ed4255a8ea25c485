//! The operator's words and pins, laid over what a guest says of itself, and bounds of an app's own.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// What the operator changed, by the guest's own names. An entry whose tool or property is gone stays: the guest may
/// bring it back, and the operator's words are not ours to drop.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overlay {
    /// By the guest's name of the tool.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tools: BTreeMap<String, ToolOverlay>,
    /// Bounds of this app's own, by the host's name for each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, u64>,
}

/// One tool's changes; `None` leaves the guest's word.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolOverlay {
    /// The name that clients see and call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The name that a person reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What an AI reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What its structured results promise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputOverlay>,
    /// By the name of the input property.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, PropertyOverlay>,
}

/// A schema of a tool's structured results, in the place of the guest's own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputOverlay {
    /// JSON Schema 2020-12 of type `object`.
    pub schema: Map<String, Value>,
    /// Was it learnt from runs? Then it is a guess, and the first result that does not fit takes it back.
    #[serde(default)]
    pub learnt: bool,
    /// It was taken back, and is kept for the operator to see.
    #[serde(default)]
    pub withdrawn: bool,
}

/// One input property's changes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PropertyOverlay {
    /// What an AI reads of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A value that every call gets; the property then leaves the schema that clients see. `null` is a value too.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub pinned: Option<Value>,
}

/// serde reads a `null` as `None`, which would quietly unpin a property that is pinned to it.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_overlay_is_read_back_as_it_was_written() {
        for pinned in [None, Some(Value::Null), Some(json!({ "deep": [1] }))] {
            let property = PropertyOverlay {
                description: None,
                pinned,
            };
            let tool = ToolOverlay {
                properties: [("city".to_owned(), property)].into(),
                ..ToolOverlay::default()
            };
            let overlay = Overlay {
                tools: [("run".to_owned(), tool)].into(),
                limits: [("memory".to_owned(), 1 << 27)].into(),
            };
            let text = serde_json::to_string(&overlay).expect("plain data");
            assert_eq!(
                serde_json::from_str::<Overlay>(&text).expect("our own text"),
                overlay,
                "{text}"
            );
        }
    }

    #[test]
    fn a_misspelt_field_is_named() {
        let error =
            serde_json::from_value::<Overlay>(json!({ "tools": { "run": { "titel": "x" } } }));
        assert!(
            error
                .expect_err("no such field")
                .to_string()
                .contains("titel")
        );
    }
}
