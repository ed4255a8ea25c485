//! What the lists of resources, resource templates and prompts answer: bytes made once, one set for each version.

use std::sync::LazyLock;

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::{
    Version,
    list::{List, ListError},
};

/// An address's resources, resource templates and prompts, ready to be listed. A clone shares the bytes.
#[derive(Clone, Debug)]
pub struct Catalog {
    resources: List,
    templates: List,
    prompts: List,
}

impl Catalog {
    /// Takes items in the shape of 2026-07-28; older versions get them without the members that they do not know.
    ///
    /// # Errors
    /// When an item is no object, lacks what it is asked for by (a resource its `uri`, a template its `uriTemplate`, a
    /// prompt its `name`), or shares it with another.
    pub fn new(
        resources: &[Box<RawValue>],
        templates: &[Box<RawValue>],
        prompts: &[Box<RawValue>],
    ) -> Result<Self, ListError> {
        Ok(Self {
            resources: List::new("resources", "uri", resources)?,
            templates: List::new("resourceTemplates", "uriTemplate", templates)?,
            prompts: List::new("prompts", "name", prompts)?,
        })
    }

    /// Of a server that has none.
    #[must_use]
    pub fn empty() -> &'static Self {
        static EMPTY: LazyLock<Catalog> =
            LazyLock::new(|| Catalog::new(&[], &[], &[]).expect("nothing to refuse"));
        &EMPTY
    }

    pub(crate) fn resources(&self, version: Version) -> &Bytes {
        self.resources.of(version)
    }

    pub(crate) fn templates(&self, version: Version) -> &Bytes {
        self.templates.of(version)
    }

    pub(crate) fn prompts(&self, version: Version) -> &Bytes {
        self.prompts.of(version)
    }
}
