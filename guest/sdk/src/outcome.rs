use serde_json::{Map, Value, json};

use crate::Schema;

/// A file that the host holds, good for one call. What it names never crosses into the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRef(pub String);

impl From<FileRef> for Value {
    /// What a variable that takes a file is set to.
    fn from(file: FileRef) -> Value {
        Value::String(file.0)
    }
}

/// One piece of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A text.
    Text(String),
    /// A file that the host delivers in the form that fits the client.
    File(FileRef),
    /// Any MCP content block, as it goes on the wire.
    Other(Value),
}

impl Content {
    /// An image made by the guest itself.
    #[must_use]
    pub fn image(mime_type: &str, base64: impl Into<String>) -> Content {
        Content::Other(json!({ "type": "image", "mimeType": mime_type, "data": base64.into() }))
    }

    /// A sound made by the guest itself.
    #[must_use]
    pub fn audio(mime_type: &str, base64: impl Into<String>) -> Content {
        Content::Other(json!({ "type": "audio", "mimeType": mime_type, "data": base64.into() }))
    }

    /// A text that stands for a resource.
    #[must_use]
    pub fn resource(uri: &str, mime_type: &str, text: impl Into<String>) -> Content {
        let resource = json!({ "uri": uri, "mimeType": mime_type, "text": text.into() });
        Content::Other(json!({ "type": "resource", "resource": resource }))
    }

    /// An address where the client finds more.
    #[must_use]
    pub fn link(uri: &str, name: &str) -> Content {
        Content::Other(json!({ "type": "resource_link", "uri": uri, "name": name }))
    }
}

impl<T: Into<String>> From<T> for Content {
    fn from(text: T) -> Content {
        Content::Text(text.into())
    }
}

impl From<FileRef> for Content {
    fn from(file: FileRef) -> Content {
        Content::File(file)
    }
}

/// The end of a call, good or bad.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallResult {
    /// What the client shows or the AI reads, in order.
    pub content: Vec<Content>,
    /// MCP's `structuredContent`: the same for programs.
    pub structured: Option<Value>,
    /// The tool failed, and the content says how.
    pub is_error: bool,
    /// MCP's `_meta`.
    pub meta: Map<String, Value>,
    /// For what later hosts read besides.
    pub extra: Map<String, Value>,
}

impl CallResult {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> CallResult {
        CallResult::default()
    }

    /// A text.
    #[must_use]
    pub fn text(words: impl Into<String>) -> CallResult {
        CallResult::new().and(words.into())
    }

    /// A value for programs, and the same as text for clients that know no structured content.
    #[must_use]
    pub fn json(value: Value) -> CallResult {
        CallResult::text(format!("{value:#}")).structured(value)
    }

    /// A failure that the AI can read and act on.
    #[must_use]
    pub fn failed(words: impl Into<String>) -> CallResult {
        CallResult {
            is_error: true,
            ..CallResult::text(words)
        }
    }

    /// One piece of content more.
    #[must_use]
    pub fn and(mut self, content: impl Into<Content>) -> CallResult {
        self.content.push(content.into());
        self
    }

    /// The value for programs.
    #[must_use]
    pub fn structured(mut self, value: impl Into<Value>) -> CallResult {
        self.structured = Some(value.into());
        self
    }

    /// A member of `_meta`. MCP wants a prefix before names that are not its own (`example.org/name`).
    #[must_use]
    pub fn meta(mut self, name: impl Into<String>, value: impl Into<Value>) -> CallResult {
        self.meta.insert(name.into(), value.into());
        self
    }

    /// The handle that the client's session goes on with. It has no effect without [`crate::CallRequest::session`].
    #[must_use]
    pub fn conversation(mut self, handle: impl Into<String>) -> CallResult {
        self.extra
            .insert("conversation".to_owned(), Value::String(handle.into()));
        self
    }
}

/// What has to be asked before a call can go on. The host keeps `state` sealed, asks, and calls again with
/// [`crate::Answers`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Questions {
    /// MCP's `inputRequests`, by keys of the guest's choice.
    pub requests: Map<String, Value>,
    /// What the guest needs to go on; the client can neither read nor change it.
    pub state: Vec<u8>,
}

impl Questions {
    /// No question yet.
    #[must_use]
    pub fn new(state: impl Into<Vec<u8>>) -> Questions {
        Questions {
            requests: Map::new(),
            state: state.into(),
        }
    }

    /// A form for the person at the client. MCP takes objects of texts, numbers, booleans and choices here, nothing nested.
    #[must_use]
    pub fn elicit(self, key: &str, message: &str, schema: Schema) -> Questions {
        let params = json!({ "message": message, "requestedSchema": Value::from(schema) });
        self.ask(key, "elicitation/create", params)
    }

    /// Any request that MCP lets a server make.
    #[must_use]
    pub fn ask(mut self, key: &str, method: &str, params: Value) -> Questions {
        self.requests.insert(
            key.to_owned(),
            json!({ "method": method, "params": params }),
        );
        self
    }
}

/// How a call ended, or why it has to wait.
pub type Outcome = End<CallResult>;

/// How something ended, or why it has to wait.
#[derive(Clone, Debug, PartialEq)]
pub enum End<T> {
    /// It ended.
    Complete(T),
    /// Somebody has to answer first.
    InputRequired(Questions),
    /// What a later contract knows.
    Other(Value),
}

impl From<CallResult> for Outcome {
    fn from(result: CallResult) -> Outcome {
        End::Complete(result)
    }
}

impl<T> From<Questions> for End<T> {
    fn from(questions: Questions) -> End<T> {
        End::InputRequired(questions)
    }
}
