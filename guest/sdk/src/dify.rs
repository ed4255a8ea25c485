//! The Dify app behind this guest. The host adds the address, the key and the user, checks the inputs against the app's
//! form, streams, and stops the run when the call ends early.

use serde_json::{Map, Value};

use crate::{Error, FileRef, host};

/// Runs the app and waits for the end: what most guests want.
///
/// # Errors
/// [`Error::Dify`] where Dify refused, failed or was not there, [`Error::InvalidArguments`] where the inputs do not fit
/// the app's form.
pub fn run_app(request: &Request) -> Result<Answer, Error> {
    host::run_app(request)
}

/// Starts the app, to be followed event by event.
///
/// # Errors
/// As [`run_app`], as far as they show before the first event.
pub fn start(request: &Request) -> Result<Run, Error> {
    Ok(Run {
        run: host::start(request)?,
        over: false,
    })
}

/// A run in progress, as an iterator over its events; [`Event::Done`] or an error is the last. Dropping it earlier stops
/// the run in Dify.
#[derive(Debug)]
pub struct Run {
    run: host::Run,
    over: bool,
}

impl Run {
    /// Waits for the end; no event crosses.
    ///
    /// # Errors
    /// As [`run_app`].
    pub fn finish(self) -> Result<Answer, Error> {
        self.run.finish()
    }

    /// Stops the run in Dify. The events that follow say how it ended.
    pub fn stop(&self) {
        self.run.stop();
    }
}

impl Iterator for Run {
    type Item = Result<Event, Error>;

    /// Waits for the next event.
    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let event = self.run.next().transpose();
        self.over = !matches!(&event, Some(Ok(event)) if !matches!(event, Event::Done(_)));
        event
    }
}

/// What the app is to be run with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The app's variables.
    pub inputs: Map<String, Value>,
    /// What the user says; chat modes need it, workflows have none.
    pub query: Option<String>,
    /// A handle from an earlier [`Answer`]; none starts a new conversation.
    pub conversation: Option<String>,
    /// Files for the whole message.
    pub files: Vec<FileRef>,
    /// For what later hosts read besides.
    pub extra: Map<String, Value>,
}

impl Request {
    /// No inputs, no query, a new conversation.
    #[must_use]
    pub fn new() -> Request {
        Request::default()
    }

    /// One variable.
    #[must_use]
    pub fn input(mut self, variable: impl Into<String>, value: impl Into<Value>) -> Request {
        self.inputs.insert(variable.into(), value.into());
        self
    }

    /// Many variables.
    #[must_use]
    pub fn inputs(mut self, inputs: Map<String, Value>) -> Request {
        self.inputs.extend(inputs);
        self
    }

    /// What the user says.
    #[must_use]
    pub fn query(mut self, words: impl Into<String>) -> Request {
        self.query = Some(words.into());
        self
    }

    /// Goes on with a conversation; [`Answer::conversation`] is where the handle comes from.
    #[must_use]
    pub fn conversation(mut self, handle: impl Into<String>) -> Request {
        self.conversation = Some(handle.into());
        self
    }

    /// A file for the whole message.
    #[must_use]
    pub fn file(mut self, file: FileRef) -> Request {
        self.files.push(file);
        self
    }
}

/// A run that came to its end. A run that failed is an error.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// `succeeded`, `partial-succeeded` (an error branch was taken), `paused` (a person is asked); others may come.
    pub status: String,
    /// What the app said: the chat answer, or a workflow's streamed text.
    pub text: String,
    /// A workflow's outputs; empty for chat modes.
    pub outputs: Map<String, Value>,
    /// Files that the app made.
    pub files: Vec<FileRef>,
    /// What the run used, in Dify's words.
    pub usage: Option<Value>,
    /// A handle with which the conversation goes on.
    pub conversation: Option<String>,
    /// More of what Dify said: `retriever_resources`, `reasons` of a pause.
    pub extra: Map<String, Value>,
}

impl Answer {
    /// A good end with a text: what a test scripts for a chat mode.
    #[must_use]
    pub fn text(words: impl Into<String>) -> Answer {
        Answer {
            status: "succeeded".to_owned(),
            text: words.into(),
            ..Answer::default()
        }
    }

    /// A good end with one output; [`Answer::and_output`] adds more.
    #[must_use]
    pub fn output(name: impl Into<String>, value: impl Into<Value>) -> Answer {
        Answer::text("").and_output(name, value)
    }

    /// One output more.
    #[must_use]
    pub fn and_output(mut self, name: impl Into<String>, value: impl Into<Value>) -> Answer {
        self.outputs.insert(name.into(), value.into());
        self
    }
}

/// A step of a workflow or chatflow.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// The node's id in the app.
    pub id: String,
    /// `llm`, `code`, `http-request`, …
    pub kind: String,
    /// The name its author gave it.
    pub title: String,
    /// Set when it has finished: `succeeded`, `failed`, `exception`, `stopped`, `paused`.
    pub status: Option<String>,
    /// How long it took, in milliseconds.
    pub elapsed_ms: Option<u32>,
    /// What later hosts say besides.
    pub extra: Map<String, Value>,
}

/// What happens in a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// More of the answer.
    Text(String),
    /// All text so far is void; this stands in its place.
    Replace(String),
    /// What an agent thinks, whole, as it stands now.
    Thought(String),
    /// A step began.
    NodeStarted(Node),
    /// A step ended.
    NodeFinished(Node),
    /// The app made a file.
    File(FileRef),
    /// An event that this contract has no word for: its name and its JSON.
    Other(String, Value),
    /// The end.
    Done(Answer),
}
