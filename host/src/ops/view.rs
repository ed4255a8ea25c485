//! An app as operators see it.

use std::collections::BTreeMap;

use airlock_registry::{AppRecord, Overlay};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::addresses::{Addresses, Snippet};
use crate::limits::{self, Own};
use crate::publish::{Manifest, Published};

/// An app. Its addresses are there only where they were asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AppView {
    /// The short name; unique.
    pub slug: String,
    /// The id; never changes.
    pub id: String,
    /// Dify's name of it.
    pub name: String,
    /// Dify's mode of it.
    pub mode: String,
    /// Does its address answer?
    pub enabled: bool,
    /// Was it ever enabled? Its address is kept from then on.
    pub has_address: bool,
    /// `built-in`, or the component's digest.
    pub guest: String,
    /// What keeps it from being used as it stands, as Dify said last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// What the operator has set for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// What clients see.
    pub tools: Vec<ToolView>,
    /// Bounds of its own, in milliseconds, bytes or numbers.
    #[serde(default, skip_serializing_if = "Own::is_empty")]
    pub limits: Own,
    /// What a linter says, and what of the operator's words fits nothing any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Its addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addresses: Option<Addresses>,
    /// The clients' settings for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snippets: Vec<Snippet>,
}

/// A tool as it is published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolView {
    /// The name that clients call.
    pub name: String,
    /// The guest's name for it, by which its texts are kept.
    pub guest_name: String,
    /// The name that people read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What an AI reads.
    pub description: String,
    /// The inputs that callers see, and the pinned ones.
    pub inputs: Vec<InputView>,
    /// JSON Schema of its structured results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Value>,
    /// Was that learnt from runs?
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub output_learnt: bool,
}

/// An input of a tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputView {
    /// Its name.
    pub name: String,
    /// Its JSON type.
    pub r#type: String,
    /// Must a caller give it?
    pub required: bool,
    /// What an AI reads of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The only values it takes; empty where it takes others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Value>,
    /// The value that every call gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<Value>,
}

impl AppView {
    /// The view of `app`, without addresses.
    #[must_use]
    pub fn new(app: &AppRecord) -> Self {
        let mut view = Self {
            slug: app.slug.clone(),
            id: app.id.to_string(),
            name: app.name.clone(),
            mode: app.mode.clone(),
            enabled: app.enabled,
            has_address: app.has_address,
            guest: app
                .guest
                .as_ref()
                .map_or_else(|| "built-in".to_owned(), ToString::to_string),
            trouble: None,
            settings: app.settings.clone(),
            tools: Vec::new(),
            limits: limits::own(&app.overlay),
            notes: Vec::new(),
            addresses: None,
            snippets: Vec::new(),
        };
        let published = serde_json::from_value::<Manifest>(app.manifest.clone())
            .map_err(|error| error.to_string())
            .and_then(|manifest| {
                Published::new(&manifest, &app.overlay).map_err(|fault| fault.to_string())
            });
        match published {
            Ok(published) => {
                view.tools = published
                    .tools
                    .iter()
                    .map(|tool| tool_view(&tool.json, &tool.guest_name, &app.overlay))
                    .collect();
                view.notes = published.lint();
                view.notes.extend(published.unmatched);
            }
            Err(fault) => view
                .notes
                .push(format!("this app cannot be published: {fault}")),
        }
        view
    }
}

fn tool_view(
    json: &serde_json::Map<String, Value>,
    guest_name: &str,
    overlay: &Overlay,
) -> ToolView {
    let text = |key| json.get(key).and_then(Value::as_str).map(str::to_owned);
    let schema = json.get("inputSchema");
    let required: Vec<&str> = schema
        .and_then(|schema| schema.get("required"))
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let properties = schema
        .and_then(|schema| schema.get("properties"))
        .and_then(Value::as_object);
    let mut inputs: Vec<InputView> = properties
        .into_iter()
        .flatten()
        .map(|(name, property)| InputView {
            name: name.clone(),
            r#type: property
                .get("type")
                .and_then(Value::as_str)
                .unwrap_or("any")
                .to_owned(),
            required: required.contains(&name.as_str()),
            description: property
                .get("description")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            choices: property
                .get("enum")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default(),
            pinned: None,
        })
        .collect();
    let words = overlay.tools.get(guest_name);
    for (name, words) in words.into_iter().flat_map(|tool| &tool.properties) {
        if let Some(value) = &words.pinned {
            inputs.push(InputView {
                name: name.clone(),
                r#type: "pinned".into(),
                required: false,
                description: words.description.clone().unwrap_or_default(),
                choices: Vec::new(),
                pinned: Some(value.clone()),
            });
        }
    }
    ToolView {
        name: text("name").unwrap_or_default(),
        guest_name: guest_name.to_owned(),
        title: text("title"),
        description: text("description").unwrap_or_default(),
        inputs,
        output_schema: json.get("outputSchema").cloned(),
        output_learnt: words
            .and_then(|words| words.output.as_ref())
            .is_some_and(|output| output.learnt && !output.withdrawn),
    }
}
