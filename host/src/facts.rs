//! What is known of a Dify app, in the form in which the registry keeps it and guests are told of it.

use std::collections::BTreeMap;

use airlock_registry::{AppFacts, AppRecord, Digest};
use airlock_sandbox::wit;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An app's facts, as Dify gave them last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Dify's name of it.
    pub name: String,
    /// Dify's description of it.
    pub description: String,
    /// Dify's word for its mode.
    pub mode: String,
    /// Dify's tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// `GET /parameters`, without what callers must not learn.
    pub parameters: Value,
    /// The version that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dify_version: Option<String>,
    /// Has a run been seen to wait for a person? Dify does not say so beforehand; a run that does teaches it.
    #[serde(default)]
    pub pauses: bool,
}

impl From<airlock_dify::Facts> for Facts {
    fn from(facts: airlock_dify::Facts) -> Self {
        Self {
            name: facts.name,
            description: facts.description,
            mode: facts.mode.as_str().to_owned(),
            tags: facts.tags,
            parameters: facts.parameters,
            dify_version: facts.dify_version,
            pauses: false,
        }
    }
}

impl Facts {
    /// The facts that the registry holds of `app`.
    ///
    /// # Errors
    /// When they are not in this shape: an older or newer Airlock wrote them, and they have to be asked for again.
    pub fn of(app: &AppRecord) -> Result<Self, serde_json::Error> {
        Self::deserialize(&app.facts)
    }

    /// The same, with what Dify does not say and a run of `app` has taught.
    #[must_use]
    pub fn still(self, app: &AppRecord) -> Self {
        Self {
            pauses: Self::of(app).is_ok_and(|before| before.pauses),
            ..self
        }
    }

    /// For the registry.
    #[must_use]
    pub fn stored(&self) -> AppFacts {
        AppFacts {
            name: self.name.clone(),
            mode: self.mode.clone(),
            description: self.description.clone(),
            facts: serde_json::to_value(self).expect("facts are plain data"),
        }
    }

    /// For a guest.
    #[must_use]
    pub fn app(&self, settings: &BTreeMap<String, String>) -> wit::App {
        wit::App {
            name: self.name.clone(),
            description: self.description.clone(),
            mode: self.mode.clone(),
            tags: self.tags.clone(),
            parameters: self.parameters.to_string(),
            settings: settings
                .iter()
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect(),
            extra: serde_json::json!({"pauses": self.pauses}).to_string(),
        }
    }
}

/// Grows when a guest is asked for more than before, so that stored manifests are made again.
const ASKED: u32 = 2;

/// What a manifest was made from: a guest, what it was told and what it was asked. While this is the same, the guest need
/// not be asked again.
#[must_use]
pub fn described_by(guest: &Digest, app: &wit::App) -> String {
    let told = serde_json::json!([
        ASKED,
        app.name,
        app.description,
        app.mode,
        app.tags,
        app.parameters,
        app.settings,
        app.extra
    ]);
    format!("{guest}+{}", Digest::of(told.to_string().as_bytes()))
}
