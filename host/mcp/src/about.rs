//! How the server introduces itself, in both eras.

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::{About, ToolServer, Version, capabilities::TASKS};

/// `serverInfo`.
#[derive(Serialize)]
pub(crate) struct ServerInfo<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    version: &'a str,
}

impl<'a> ServerInfo<'a> {
    pub(crate) fn new(about: &'a About<'_>, version: Version) -> Self {
        Self {
            name: &about.name,
            title: about
                .title
                .as_deref()
                .filter(|_| version >= Version::V2025_06_18),
            version: &about.version,
        }
    }
}

/// `ServerCapabilities`: what is offered, and nothing that is not.
pub(crate) struct Capabilities<'a> {
    pub(crate) server: &'a dyn ToolServer,
    pub(crate) version: Version,
    /// Whether whoever asks could be told of changes.
    pub(crate) listens: bool,
}

/// Capabilities are objects, most of them empty.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Of {
    #[serde(skip_serializing_if = "is_false")]
    subscribe: bool,
    #[serde(skip_serializing_if = "is_false")]
    list_changed: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes what it may skip by reference"
)]
fn is_false(value: &bool) -> bool {
    !value
}

impl Serialize for Capabilities<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let offers = self.server.offers();
        let list_changed = self.listens && self.server.changes().is_some();
        let plain = Of {
            subscribe: false,
            list_changed: false,
        };
        let listed = Of {
            subscribe: false,
            list_changed,
        };
        let watched = Of {
            subscribe: list_changed,
            list_changed,
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("tools", &listed)?;
        if offers.resources {
            map.serialize_entry("resources", &watched)?;
        }
        if offers.prompts {
            map.serialize_entry("prompts", &listed)?;
        }
        // The word for it came with 2025-03-26.
        if offers.completions && self.version >= Version::V2025_03_26 {
            map.serialize_entry("completions", &plain)?;
        }
        if offers.logging {
            map.serialize_entry("logging", &plain)?;
        }
        if self.version.is_modern() && self.server.tasks().is_some() {
            map.serialize_entry("extensions", &Extensions)?;
        }
        map.end()
    }
}

struct Extensions;

impl Serialize for Extensions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(
            TASKS,
            &Of {
                subscribe: false,
                list_changed: false,
            },
        )?;
        map.end()
    }
}
