//! An operation and its answer.

use std::collections::BTreeMap;

use airlock_registry::Secret;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::check::GuestCheck;
use super::view::AppView;
use crate::limits::Limit;

/// What is asked for. `app` is a short name or an id.
#[derive(Debug)]
pub enum Operation {
    /// Is the server there, and what does it serve?
    Status,
    /// What is counted.
    Metrics,
    /// All apps.
    List,
    /// One app; `reveal` asks for its addresses too.
    Show {
        /// Which app.
        app: String,
        /// With its addresses.
        reveal: bool,
    },
    /// Register an app, off.
    Add {
        /// Dify's key of the app.
        key: Secret,
        /// A component of its own.
        guest: Option<Vec<u8>>,
    },
    /// Publish.
    Enable {
        /// Which app.
        app: String,
    },
    /// Take off.
    Disable {
        /// Which app.
        app: String,
    },
    /// A new address; the old one is dead.
    Regenerate {
        /// Which app.
        app: String,
    },
    /// Ask Dify again what the app is, and its guest what it offers.
    Refresh {
        /// Which app.
        app: String,
    },
    /// Another key of Dify's for the same app.
    SetKey {
        /// Which app.
        app: String,
        /// The key.
        key: Secret,
    },
    /// The operator's words for a tool.
    Describe {
        /// Which app.
        app: String,
        /// What to change.
        words: Words,
    },
    /// Bounds of the app's own, in milliseconds, bytes or numbers; `None` takes one off.
    Limit {
        /// Which app.
        app: String,
        /// What to change.
        limits: BTreeMap<Limit, Option<u64>>,
    },
    /// What the operator sets for an app, by name; `None` takes a setting off.
    Set {
        /// Which app.
        app: String,
        /// What to change.
        settings: BTreeMap<String, Option<String>>,
    },
    /// Which output schema the runs of a workflow have kept so far.
    Learn {
        /// Which app.
        app: String,
        /// Promise it from now on.
        publish: bool,
    },
    /// Another guest; `None` is the built-in one.
    SetGuest {
        /// Which app.
        app: String,
        /// The component.
        component: Option<Vec<u8>>,
    },
    /// What would change if this were the app's guest?
    CheckGuest {
        /// Which app.
        app: String,
        /// The component.
        component: Vec<u8>,
    },
    /// Forget the app.
    Remove {
        /// Which app.
        app: String,
    },
}

impl Operation {
    /// A word for the log, for what changes something.
    #[must_use]
    pub fn changes(&self) -> Option<&'static str> {
        match self {
            Self::Status
            | Self::Metrics
            | Self::List
            | Self::Show { .. }
            | Self::CheckGuest { .. }
            | Self::Learn { publish: false, .. } => None,
            Self::Add { .. } => Some("add"),
            Self::Enable { .. } => Some("enable"),
            Self::Disable { .. } => Some("disable"),
            Self::Regenerate { .. } => Some("regenerate"),
            Self::Refresh { .. } => Some("refresh"),
            Self::SetKey { .. } => Some("key"),
            Self::Describe { .. } => Some("describe"),
            Self::Limit { .. } => Some("limits"),
            Self::Set { .. } => Some("set"),
            Self::Learn { publish: true, .. } => Some("learn"),
            Self::SetGuest { .. } => Some("guest"),
            Self::Remove { .. } => Some("remove"),
        }
    }
}

/// A change of one of the operator's words. In JSON: absent, `null`, or the value.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Change<T> {
    /// As it is.
    #[default]
    Keep,
    /// The guest's own again.
    Clear,
    /// This.
    Set(T),
}

impl<T> Change<T> {
    /// Carries the change out.
    pub fn apply(self, to: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Clear => *to = None,
            Self::Set(value) => *to = Some(value),
        }
    }

    fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Change<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<T>::deserialize(deserializer)?.map_or(Self::Clear, Self::Set))
    }
}

impl<T: Serialize> Serialize for Change<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            // `Keep` is left out by every field that holds a change.
            Self::Keep | Self::Clear => serializer.serialize_none(),
            Self::Set(value) => serializer.serialize_some(value),
        }
    }
}

/// The operator's words for one tool.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// Which tool, by the guest's name or the published one; may be left out when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The name that clients call.
    #[serde(default, skip_serializing_if = "Change::is_keep")]
    pub name: Change<String>,
    /// The name that people read.
    #[serde(default, skip_serializing_if = "Change::is_keep")]
    pub title: Change<String>,
    /// What an AI reads.
    #[serde(default, skip_serializing_if = "Change::is_keep")]
    pub description: Change<String>,
    /// JSON Schema of the structured results, of type `object`.
    #[serde(default, skip_serializing_if = "Change::is_keep")]
    pub output_schema: Change<Map<String, Value>>,
    /// By the name of the input.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, InputWords>,
}

/// The operator's words for one input.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputWords {
    /// What an AI reads of it.
    #[serde(default, skip_serializing_if = "Change::is_keep")]
    pub description: Change<String>,
    /// The value that every call gets.
    #[serde(default, skip_serializing_if = "Change::is_keep")]
    pub pinned: Change<Value>,
}

impl Words {
    /// Would it leave everything as it is?
    #[must_use]
    pub fn changes_nothing(&self) -> bool {
        self.name.is_keep()
            && self.title.is_keep()
            && self.description.is_keep()
            && self.output_schema.is_keep()
            && self.inputs.is_empty()
    }
}

/// The answer to an [`Operation`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Reply {
    /// To `Add`.
    Added {
        /// The app.
        app: AppView,
        /// It was registered before, and was left as it was.
        existed: bool,
    },
    /// To `Learn`.
    Learnt {
        /// The app as it is now.
        app: AppView,
        /// What was learnt.
        learnt: Learnt,
    },
    /// To what concerns one app.
    App {
        /// The app as it is now.
        app: AppView,
    },
    /// To `List`.
    Apps {
        /// In the order of their names.
        apps: Vec<AppView>,
    },
    /// To `CheckGuest`.
    Checked {
        /// What was found.
        check: GuestCheck,
    },
    /// To `Remove`.
    Removed {
        /// The short name it had.
        removed: String,
    },
    /// To `Metrics`.
    Metrics {
        /// OpenMetrics text.
        metrics: String,
    },
    /// To `Status`.
    Status {
        /// Airlock's version.
        version: String,
        /// Apps that are enabled.
        enabled: usize,
        /// Apps in all.
        apps: usize,
    },
}

/// What the runs of a workflow had in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Learnt {
    /// The tool, by the name that clients call.
    pub tool: String,
    /// How many runs it was learnt from.
    pub runs: usize,
    /// JSON Schema of type `object`.
    pub schema: Map<String, Value>,
    /// Is it promised now?
    pub published: bool,
}

impl Reply {
    /// The app that it is about; empty where it is about none.
    #[must_use]
    pub fn slug(&self) -> &str {
        match self {
            Self::Added { app, .. } | Self::Learnt { app, .. } | Self::App { app } => &app.slug,
            Self::Removed { removed } => removed,
            Self::Apps { .. }
            | Self::Checked { .. }
            | Self::Metrics { .. }
            | Self::Status { .. } => "",
        }
    }
}
