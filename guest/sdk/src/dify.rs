//! The Dify app behind this guest. The host adds the address, the key and the user, checks the inputs against the app's
//! form, streams, and stops the run when the call ends early.

use airlock_form::Form;
use serde_json::{Map, Value, json};

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

/// Answers for a person, and goes on with the run that waited: what it says from now on, and its end.
///
/// # Errors
/// [`Error::InvalidArguments`] where the reply does not fit its [`Pause`]: nothing has changed then, and another reply may
/// follow. [`Error::Dify`] where somebody has answered before, or nobody can any more.
pub fn resume(reply: &Reply) -> Result<Run, Error> {
    Ok(Run {
        run: host::resume(reply)?,
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
    /// More of what Dify said: `retriever_resources`, and `pauses`, for which there is [`Answer::pauses`].
    pub extra: Map<String, Value>,
}

/// What a paused run waits for: a form, put before a person.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pause {
    /// For a [`Reply`]. None where nobody can answer but those whom Dify has told of it.
    pub handle: Option<String>,
    /// What the app's author called it.
    pub title: String,
    /// The form's words, in Markdown, with `{{#$output.NAME#}}` where an input belongs.
    pub content: String,
    /// The form's inputs, as Dify lists them; [`Pause::form`] reads them.
    pub inputs: Value,
    /// The ways to answer.
    pub actions: Vec<Action>,
    /// Until when, in Unix seconds.
    pub expires: Option<u64>,
}

/// A way to answer: a button of the form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Action {
    /// Its name for a [`Reply`].
    pub id: String,
    /// What a person reads.
    pub title: String,
}

impl Pause {
    /// Reads one of `pauses`. What is missing is empty.
    #[must_use]
    pub fn from_json(pause: &Value) -> Pause {
        let text = |of: &Value, key: &str| of[key].as_str().unwrap_or_default().to_owned();
        let actions = pause["actions"].as_array().into_iter().flatten();
        Pause {
            handle: pause["handle"].as_str().map(str::to_owned),
            title: text(pause, "title"),
            content: text(pause, "content"),
            inputs: pause["inputs"].clone(),
            actions: actions
                .map(|action| Action {
                    id: text(action, "id"),
                    title: text(action, "title"),
                })
                .collect(),
            expires: pause["expires"].as_u64(),
        }
    }

    /// The same again, to keep it in [`crate::Questions::state`].
    #[must_use]
    pub fn to_json(&self) -> Value {
        let action = |action: &Action| json!({ "id": action.id, "title": action.title });
        let actions: Vec<Value> = self.actions.iter().map(action).collect();
        json!({ "handle": self.handle, "title": self.title, "content": self.content, "inputs": self.inputs,
            "actions": actions, "expires": self.expires })
    }

    /// The form's inputs.
    #[must_use]
    pub fn form(&self) -> Form {
        Form::of_pause(&self.inputs)
    }
}

/// A person's answer to a [`Pause`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// The handle of the pause.
    pub pause: String,
    /// The id of one of its actions.
    pub action: String,
    /// A value for every input of its form; a file as a caller gives one: its address, or an object with `url`, `data` and
    /// `name`, or `handle`.
    pub inputs: Map<String, Value>,
    /// For what later hosts read besides.
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

    /// An end for now: the run waits for a person.
    #[must_use]
    pub fn paused(pauses: impl IntoIterator<Item = Pause>) -> Answer {
        let mut answer = Answer::text("");
        answer.status = "paused".to_owned();
        let pauses: Vec<Value> = pauses.into_iter().map(|pause| pause.to_json()).collect();
        answer.extra.insert("pauses".to_owned(), pauses.into());
        answer
    }

    /// What a paused run waits for.
    #[must_use]
    pub fn pauses(&self) -> Vec<Pause> {
        let pauses = self.extra.get("pauses").and_then(Value::as_array);
        pauses.into_iter().flatten().map(Pause::from_json).collect()
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
