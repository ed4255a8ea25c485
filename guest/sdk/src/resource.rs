use serde_json::{Map, Value};

use crate::{Answers, End};

/// What there is to read: resources that are always there, and templates for those that are many.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResourceList {
    /// In the order in which clients list them.
    pub resources: Vec<Resource>,
    /// In the order in which clients list them.
    pub templates: Vec<ResourceTemplate>,
    /// For what later hosts read besides.
    pub extra: Map<String, Value>,
}

impl ResourceList {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> ResourceList {
        ResourceList::default()
    }

    /// One resource more.
    #[must_use]
    pub fn resource(mut self, resource: Resource) -> ResourceList {
        self.resources.push(resource);
        self
    }

    /// One template more.
    #[must_use]
    pub fn template(mut self, template: ResourceTemplate) -> ResourceList {
        self.templates.push(template);
        self
    }
}

/// A resource that is always there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resource {
    /// With a scheme of the guest's own, or `https` where the client could fetch it itself. Unique in the list.
    pub uri: String,
    /// What a program calls it.
    pub name: String,
    /// The name a person reads.
    pub title: Option<String>,
    /// What an AI or a person reads to know what is in it.
    pub description: Option<String>,
    /// What it holds (`text/markdown`).
    pub mime_type: Option<String>,
    /// Members that the resource carries as they are: `size`, `annotations`, `icons`, `_meta`.
    pub extra: Map<String, Value>,
}

impl Resource {
    /// A resource of which nothing else is said.
    #[must_use]
    pub fn new(uri: impl Into<String>, name: impl Into<String>) -> Resource {
        Resource {
            uri: uri.into(),
            name: name.into(),
            ..Resource::default()
        }
    }

    /// The name a person reads.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Resource {
        self.title = Some(title.into());
        self
    }

    /// What an AI or a person reads to know what is in it.
    #[must_use]
    pub fn description(mut self, words: impl Into<String>) -> Resource {
        self.description = Some(words.into());
        self
    }

    /// What it holds.
    #[must_use]
    pub fn mime_type(mut self, mime_type: impl Into<String>) -> Resource {
        self.mime_type = Some(mime_type.into());
        self
    }

    /// Any other member of the resource.
    #[must_use]
    pub fn extra(mut self, name: impl Into<String>, value: impl Into<Value>) -> Resource {
        self.extra.insert(name.into(), value.into());
        self
    }
}

/// Resources of one kind, known by the form of their URIs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResourceTemplate {
    /// An RFC 6570 template (`notes://{id}`). Unique in the list.
    pub uri_template: String,
    /// What a program calls them.
    pub name: String,
    /// The name a person reads.
    pub title: Option<String>,
    /// What an AI or a person reads to know what is in them.
    pub description: Option<String>,
    /// What they hold, where all hold the same.
    pub mime_type: Option<String>,
    /// Members that the template carries as they are.
    pub extra: Map<String, Value>,
}

impl ResourceTemplate {
    /// A template of which nothing else is said.
    #[must_use]
    pub fn new(uri_template: impl Into<String>, name: impl Into<String>) -> ResourceTemplate {
        ResourceTemplate {
            uri_template: uri_template.into(),
            name: name.into(),
            ..ResourceTemplate::default()
        }
    }

    /// The name a person reads.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> ResourceTemplate {
        self.title = Some(title.into());
        self
    }

    /// What an AI or a person reads to know what is in them.
    #[must_use]
    pub fn description(mut self, words: impl Into<String>) -> ResourceTemplate {
        self.description = Some(words.into());
        self
    }

    /// What they hold, where all hold the same.
    #[must_use]
    pub fn mime_type(mut self, mime_type: impl Into<String>) -> ResourceTemplate {
        self.mime_type = Some(mime_type.into());
        self
    }
}

/// One read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadRequest {
    /// As the client wrote it: it may be the URI of nothing.
    pub uri: String,
    /// Present where this read goes on after [`crate::Questions`].
    pub answers: Option<Answers>,
    /// What later hosts say besides.
    pub extra: Map<String, Value>,
}

/// What a resource holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Contents {
    /// Whose contents these are.
    pub uri: String,
    /// What they are.
    pub mime_type: Option<String>,
    /// The contents themselves.
    pub body: Body,
    /// Members that the contents carry as they are (`_meta`).
    pub extra: Map<String, Value>,
}

/// Text, or anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Text.
    Text(String),
    /// Bytes; the host makes base64 of them.
    Bytes(Vec<u8>),
}

/// The end of a read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadResult {
    /// One at least; more where a resource is a collection.
    pub contents: Vec<Contents>,
    /// MCP's `_meta`.
    pub meta: Map<String, Value>,
    /// For what later hosts read besides.
    pub extra: Map<String, Value>,
}

impl ReadResult {
    /// A text.
    #[must_use]
    pub fn text(
        uri: impl Into<String>,
        mime_type: impl Into<String>,
        text: impl Into<String>,
    ) -> ReadResult {
        ReadResult::default().and(uri, mime_type, Body::Text(text.into()))
    }

    /// Anything but text.
    #[must_use]
    pub fn bytes(
        uri: impl Into<String>,
        mime_type: impl Into<String>,
        bytes: impl Into<Vec<u8>>,
    ) -> ReadResult {
        ReadResult::default().and(uri, mime_type, Body::Bytes(bytes.into()))
    }

    /// One piece of contents more.
    #[must_use]
    pub fn and(
        mut self,
        uri: impl Into<String>,
        mime_type: impl Into<String>,
        body: Body,
    ) -> ReadResult {
        self.contents.push(Contents {
            uri: uri.into(),
            mime_type: Some(mime_type.into()),
            body,
            extra: Map::new(),
        });
        self
    }
}

impl From<ReadResult> for End<ReadResult> {
    fn from(result: ReadResult) -> Self {
        End::Complete(result)
    }
}
