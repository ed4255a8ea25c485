//! What a server is asked, and what it may answer.

use std::{borrow::Cow, sync::Arc};

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;

use crate::{Capabilities, Log, Progress, SessionKey, TaskKey, session::prefix};

/// One `tools/call`.
#[derive(Debug)]
pub struct Call {
    /// As the client wrote it: it may name no tool at all.
    pub tool: String,
    /// A JSON object, not yet validated against any schema; `{}` where the client sent none. At most 127 levels deep.
    pub arguments: Arc<RawValue>,
    /// Present when this goes on after [`End::InputRequired`].
    pub answers: Option<Answers>,
    /// The task that the call is, or becomes if it takes long. None where it cannot become one.
    pub task: Option<Task>,
    /// Who asks, and how to speak with them meanwhile.
    pub context: Context,
}

/// The task of a call. What must be known to go on with it after a restart is to be stored beside its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// The row's key.
    pub key: TaskKey,
    /// Where the task stands as the call begins.
    pub stage: Stage,
}

/// Where a task stands as its call begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// There is none yet. [`TaskStore::create`](crate::TaskStore::create) is asked for its row while the call runs.
    New,
    /// It goes on after its questions were answered.
    Answered,
    /// Its call ran when the server stopped, and begins again. What it has started must not be started twice; where
    /// that cannot be had, the call is [`Interrupted`](CallError::Interrupted).
    Resumed,
}

/// One `resources/read`.
#[derive(Debug)]
pub struct Read {
    /// As the client wrote it.
    pub uri: String,
    /// Present when this goes on after [`End::InputRequired`].
    pub answers: Option<Answers>,
    /// Who asks, and how to speak with them meanwhile.
    pub context: Context,
}

/// One `prompts/get`.
#[derive(Debug)]
pub struct GetPrompt {
    /// As the client wrote it: it may name no prompt at all.
    pub name: String,
    /// A JSON object whose values should be strings, not yet validated; `{}` where the client sent none.
    pub arguments: Box<RawValue>,
    /// Present when this goes on after [`End::InputRequired`].
    pub answers: Option<Answers>,
    /// Who asks, and how to speak with them meanwhile.
    pub context: Context,
}

/// One `completion/complete`.
#[derive(Debug)]
pub struct Complete {
    /// What the argument belongs to.
    pub reference: Reference,
    /// The argument's name.
    pub argument: String,
    /// What has been typed of it.
    pub value: String,
    /// The arguments that are already known, a JSON object (`context.arguments`); `{}` where the client sent none.
    pub known: Box<RawValue>,
    /// Who asks.
    pub context: Context,
}

/// What an argument belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// A prompt, by name (`ref/prompt`).
    Prompt(String),
    /// A resource template, by its URI template (`ref/resource`).
    Resource(String),
}

/// Who asks, and how to speak with them while the request runs.
#[derive(Clone, Debug)]
pub struct Context {
    /// Who says it is asking.
    pub client: Client,
    /// The same for all requests of one session; none without a session.
    pub session: Option<SessionKey>,
    /// Where to say how far it is.
    pub progress: Progress,
    /// Log messages for the client.
    pub log: Log,
    /// Fires when the request should stop: cancelled, hung up, or the address is gone. Nobody reads the result then.
    pub cancelled: CancellationToken,
}

/// What a client says of itself, in `initialize` or with each request; empty where it did not say. Not an identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// At most 64 bytes of `clientInfo.name`.
    pub name: String,
    /// At most 32 bytes of `clientInfo.version`.
    pub version: String,
    /// What it declared that it can do.
    pub capabilities: Capabilities,
}

const NAME_MAX: usize = 64;
const VERSION_MAX: usize = 32;

impl Client {
    /// As far as it can be read: a client without a proper name is still served.
    pub(crate) fn read(info: Option<&RawValue>, capabilities: Option<&RawValue>) -> Self {
        #[derive(Default, Deserialize)]
        struct Info<'a> {
            #[serde(borrow, default)]
            name: Cow<'a, str>,
            #[serde(borrow, default)]
            version: Cow<'a, str>,
        }
        let info: Info<'_> = info
            .and_then(|info| serde_json::from_str(info.get()).ok())
            .unwrap_or_default();
        Self {
            name: prefix(&info.name, NAME_MAX).to_owned(),
            version: prefix(&info.version, VERSION_MAX).to_owned(),
            capabilities: capabilities.map(Capabilities::read).unwrap_or_default(),
        }
    }
}

/// How a request ended, or why it has to wait.
#[derive(Clone, Debug)]
pub enum End<T> {
    /// The answer.
    Complete(T),
    /// It cannot go on before somebody answers; it will be asked again, with [`Answers`].
    InputRequired(Questions),
}

impl<T> From<T> for End<T> {
    fn from(answer: T) -> Self {
        Self::Complete(answer)
    }
}

/// What has to be answered before a request goes on.
#[derive(Clone, Debug)]
pub struct Questions {
    /// `inputRequests`: an object from a key to a request, `{"method": "elicitation/create", "params": {…}}`. The methods
    /// are `elicitation/create`, `sampling/createMessage` and `roots/list`; asking what the client did not declare is an
    /// error that the client is told. An empty object asks nothing: the client just comes again.
    pub requests: Box<RawValue>,
    /// Whatever the server needs to go on, of at most 32 KiB. The client carries it sealed and cannot read it.
    pub state: Vec<u8>,
}

/// The answers to [`Questions`].
#[derive(Clone, Debug)]
pub struct Answers {
    /// `inputResponses`: an object from the key to an object, the response's `result`. Not validated any further: keys
    /// that were asked for may be missing, and others be there.
    pub responses: Box<RawValue>,
    /// What [`Questions::state`] was, unchanged; empty too for a client that brings answers and no state.
    pub state: Vec<u8>,
}

/// What a resource holds.
#[derive(Clone, Debug, Default)]
pub struct ReadResult {
    /// Contents, as they go on the wire: `{"uri", "mimeType", "text" or "blob"}`.
    pub contents: Vec<Box<RawValue>>,
    /// `_meta`; dropped if it is no object.
    pub meta: Option<Box<RawValue>>,
}

/// A prompt, filled in.
#[derive(Clone, Debug, Default)]
pub struct PromptResult {
    /// What the prompt is for.
    pub description: Option<String>,
    /// Messages, as they go on the wire: `{"role", "content"}`.
    pub messages: Vec<Box<RawValue>>,
    /// `_meta`; dropped if it is no object.
    pub meta: Option<Box<RawValue>>,
}

/// What an argument may become.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// Best first. The first 100 are sent, as the specification bounds them.
    pub values: Vec<String>,
    /// How many there are in all, where known.
    pub total: Option<u32>,
    /// Are there more than these?
    pub has_more: bool,
}

/// A request that came to no result. A tool's own failure is a [`CallResult`](crate::CallResult) with `is_error`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError {
    /// There is no tool, resource, prompt or reference of that name.
    Unknown,
    /// The arguments do not fit; the words are for the caller and name the field.
    /// For tools an error of the tool from 2025-11-25 on (SEP-1303), an error of the protocol before.
    InvalidArguments(String),
    /// It needs what the client did not declare: the capabilities, of which some are missing.
    MissingCapability(Capabilities),
    /// It was stopped before it had a result.
    Cancelled,
    /// The address died meanwhile.
    Gone,
    /// The server was restarted while it ran, and it cannot go on.
    Interrupted,
    /// The server stops, and the call goes on in the next one: its task is left as it stands. Only for a call that has
    /// become a task.
    Suspended,
    /// Anything else; the words are for the caller.
    Internal(String),
}
