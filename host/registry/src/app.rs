//! What the registry knows of an app.

use std::{borrow::Borrow, collections::BTreeMap, fmt};

use serde::Serialize;
use serde_json::Value;

use crate::{code, digest::Digest, overlay::Overlay, secret::Secret};

/// Characters of an id: 40 random bits, short enough to type, and checked against the others when it is made.
const ID_LENGTH: usize = 8;

/// An app's name for machines: random, stable, no secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct AppId(String);

/// Everything about an app but its secrets.
#[derive(Debug, Clone, PartialEq)]
pub struct AppRecord {
    /// Never changes.
    pub id: AppId,
    /// The name for people: ASCII letters in lower case, digits and `-`; unique; made from the first name and kept when
    /// that changes, since people type it and clients' configurations hold it.
    pub slug: String,
    /// Dify's name of the app.
    pub name: String,
    /// Dify's mode of the app.
    pub mode: String,
    /// Dify's description of the app.
    pub description: String,
    /// Does its address answer?
    pub enabled: bool,
    /// Grows whenever the address is replaced: tokens sealed with an older one are dead.
    pub credential_epoch: u64,
    /// Was it ever enabled?
    pub has_address: bool,
    /// The component that serves it; `None` is the guest built into Airlock.
    pub guest: Option<Digest>,
    /// The last good facts from Dify, in the host's own shape.
    pub facts: Value,
    /// The last good manifest of the guest, in the host's own shape.
    pub manifest: Value,
    /// What the manifest was made from, in the host's own words: while it is the same, the guest need not describe again.
    pub described_by: String,
    /// The operator's own words and pins.
    pub overlay: Overlay,
    /// What the operator tells the guest; never a secret.
    pub settings: BTreeMap<String, String>,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds of the last change of any kind.
    pub updated_at: i64,
}

/// An app's facts as Dify gave them last.
#[derive(Debug, Clone, PartialEq)]
pub struct AppFacts {
    /// See [`AppRecord::name`].
    pub name: String,
    /// See [`AppRecord::mode`].
    pub mode: String,
    /// See [`AppRecord::description`].
    pub description: String,
    /// See [`AppRecord::facts`].
    pub facts: Value,
}

/// What a guest said of an app. It comes with every change of what a guest's description depends on: component, facts and
/// settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// See [`AppRecord::manifest`].
    pub manifest: Value,
    /// See [`AppRecord::described_by`].
    pub by: String,
}

/// An app to register.
#[derive(Debug)]
pub struct NewApp {
    /// Dify's key of the app.
    pub key: Secret,
    /// What Dify says of it.
    pub facts: AppFacts,
    /// The component that serves it; `None` is the guest built into Airlock.
    pub guest: Option<Vec<u8>>,
    /// What that guest says of it.
    pub described: Described,
    /// See [`AppRecord::settings`].
    pub settings: BTreeMap<String, String>,
}

/// The answer to registering an app.
#[derive(Debug, Clone)]
pub struct Added {
    /// The app as it is now.
    pub app: std::sync::Arc<AppRecord>,
    /// The key was registered before; the app was left as it was.
    pub existed: bool,
}

impl AppId {
    pub(crate) fn random() -> Self {
        Self(code::random(ID_LENGTH))
    }

    pub(crate) fn stored(text: String) -> Self {
        Self(text)
    }

    /// The id as it is written everywhere.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for AppId {
    fn borrow(&self) -> &str {
        &self.0
    }
}
