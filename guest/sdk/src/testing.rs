//! A host made of scripts: what a guest's native tests run against.
//!
//! ```
//! use airlock_guest::{App, CallRequest, CallResult, Error, Guest, Manifest, Mode, Outcome, Tool};
//! use airlock_guest::{dify, json, testing::Host};
//!
//! struct Echo;
//! impl Guest for Echo {
//!     fn describe(_: &App) -> Result<Manifest, Error> {
//!         Ok(Manifest::new().tool(Tool::new("echo", "Says it again.")))
//!     }
//!     fn call(_: &App, _: CallRequest) -> Result<Outcome, Error> {
//!         let answer = dify::run_app(&dify::Request::new().query("hello"))?;
//!         Ok(CallResult::text(answer.text).into())
//!     }
//! }
//!
//! let host = Host::new().answers(dify::Answer::text("hello, hello"));
//! let outcome = host.call::<Echo>(&App::new("Echo", Mode::Chat), "echo", json!({}));
//! assert_eq!(outcome, Ok(CallResult::text("hello, hello").into()));
//! assert_eq!(host.requests()[0].query.as_deref(), Some("hello"));
//! ```

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::client::{Caller, Change, Level};
use crate::dify::{Answer, Event, Reply, Request};
use crate::{
    Answers, App, CallRequest, CompleteRequest, Completion, Completions, End, Error, Guest,
    Manifest, Outcome, PromptList, PromptRequest, PromptResult, Prompts, ReadRequest, ReadResult,
    ResourceList, Resources,
};

pub(crate) mod imports;

/// A fake host for the thread it was made on, until it is dropped. Tests that run on threads of their own do not meet.
#[derive(Debug)]
pub struct Host(Rc<RefCell<State>>);

/// What a guest reported with [`crate::client::progress`].
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// How much is done, in the guest's units.
    pub done: f64,
    /// How much there is.
    pub total: Option<f64>,
    /// What the client shows.
    pub message: Option<String>,
}

#[derive(Debug)]
struct Script {
    events: VecDeque<Event>,
    end: Result<Answer, Error>,
}

#[derive(Debug, Default)]
struct State {
    scripts: VecDeque<Script>,
    caller: Caller,
    /// What calls get besides.
    extra: Map<String, Value>,
    remaining: Duration,
    /// How often `cancelled` still answers no; none means always.
    patience: Option<usize>,
    describing: bool,
    requests: Vec<Request>,
    replies: Vec<Reply>,
    progress: Vec<Progress>,
    log: Vec<(Level, Value)>,
    told: Vec<(Level, Value)>,
    changes: Vec<Change>,
    waited: Duration,
    stopped: usize,
}

thread_local! {
    static HOST: RefCell<Option<Rc<RefCell<State>>>> = const { RefCell::new(None) };
}

impl Host {
    /// A host with an hour for every call and no run scripted. It takes the place of the thread's earlier one.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "making one changes the thread; a default should not"
    )]
    pub fn new() -> Host {
        let state = State {
            remaining: Duration::from_secs(3600),
            ..State::default()
        };
        let state = Rc::new(RefCell::new(state));
        HOST.set(Some(Rc::clone(&state)));
        Host(state)
    }

    /// The next run ends so, without an event before.
    #[must_use]
    pub fn answers(self, answer: Answer) -> Host {
        self.runs([], Ok(answer))
    }

    /// The next run fails so, without an event before; a reply to a pause is refused so.
    #[must_use]
    pub fn fails(self, error: impl Into<Error>) -> Host {
        self.runs([], Err(error.into()))
    }

    /// The next run has these events and then this end. A guest that does not follow the events sees the end alone.
    #[must_use]
    pub fn runs(self, events: impl IntoIterator<Item = Event>, end: Result<Answer, Error>) -> Host {
        let script = Script {
            events: events.into_iter().collect(),
            end,
        };
        self.0.borrow_mut().scripts.push_back(script);
        self
    }

    /// Who calls.
    #[must_use]
    pub fn caller(self, caller: Caller) -> Host {
        self.0.borrow_mut().caller = caller;
        self
    }

    /// The client has a session that conversations follow; it goes on with this one.
    #[must_use]
    pub fn session(self, conversation: Option<&str>) -> Host {
        let session = match conversation {
            Some(handle) => json!({ "conversation": handle }),
            None => json!({}),
        };
        let mut state = self.0.borrow_mut();
        state.extra.insert("session".to_owned(), session);
        drop(state);
        self
    }

    /// How long a call still has. It shrinks by what the guest waits.
    #[must_use]
    pub fn remaining(self, time: Duration) -> Host {
        self.0.borrow_mut().remaining = time;
        self
    }

    /// The client has cancelled once the guest has asked this many times.
    #[must_use]
    pub fn cancelled_after(self, questions: usize) -> Host {
        self.0.borrow_mut().patience = Some(questions);
        self
    }

    /// Lets a guest describe an app as the host does: every import refuses meanwhile.
    ///
    /// # Errors
    /// The guest's own.
    ///
    /// # Panics
    /// Where the guest uses an import.
    pub fn describe<G: Guest>(&self, app: &App) -> Result<Manifest, Error> {
        self.describing(|| G::describe(app))
    }

    /// The same for what there is to read.
    ///
    /// # Errors
    /// The guest's own.
    ///
    /// # Panics
    /// Where the guest uses an import.
    pub fn resources<G: Resources>(&self, app: &App) -> Result<ResourceList, Error> {
        self.describing(|| G::resources(app))
    }

    /// The same for what there is to begin with.
    ///
    /// # Errors
    /// The guest's own.
    ///
    /// # Panics
    /// Where the guest uses an import.
    pub fn prompts<G: Prompts>(&self, app: &App) -> Result<PromptList, Error> {
        self.describing(|| G::prompts(app))
    }

    fn describing<T>(&self, describe: impl FnOnce() -> T) -> T {
        self.0.borrow_mut().describing = true;
        let described = describe();
        self.0.borrow_mut().describing = false;
        described
    }

    /// Calls a guest's tool with these arguments.
    ///
    /// # Errors
    /// The guest's own.
    ///
    /// # Panics
    /// Where the arguments are no object, or the guest runs the app more often than runs are scripted.
    pub fn call<G: Guest>(
        &self,
        app: &App,
        tool: &str,
        arguments: Value,
    ) -> Result<Outcome, Error> {
        self.round::<G>(app, tool, arguments, None)
    }

    /// Calls a guest's tool again, with answers to the [`crate::Questions`] that it ended with.
    ///
    /// # Errors
    /// The guest's own.
    ///
    /// # Panics
    /// As [`Host::call`].
    pub fn call_again<G: Guest>(
        &self,
        app: &App,
        tool: &str,
        arguments: Value,
        answers: Answers,
    ) -> Result<Outcome, Error> {
        self.round::<G>(app, tool, arguments, Some(answers))
    }

    fn round<G: Guest>(
        &self,
        app: &App,
        tool: &str,
        arguments: Value,
        answers: Option<Answers>,
    ) -> Result<Outcome, Error> {
        let Value::Object(arguments) = arguments else {
            panic!("a tool's arguments are an object, not {arguments}")
        };
        // A borrow must not last while the guest uses its imports.
        let extra = self.0.borrow().extra.clone();
        G::call(
            app,
            CallRequest {
                tool: tool.to_owned(),
                arguments,
                answers,
                extra,
            },
        )
    }

    /// Reads one of a guest's resources.
    ///
    /// # Errors
    /// The guest's own.
    pub fn read<G: Resources>(
        &self,
        app: &App,
        uri: &str,
    ) -> Result<Option<End<ReadResult>>, Error> {
        let uri = uri.to_owned();
        G::read(
            app,
            ReadRequest {
                uri,
                ..ReadRequest::default()
            },
        )
    }

    /// Gets one of a guest's prompts, filled in.
    ///
    /// # Errors
    /// The guest's own.
    ///
    /// # Panics
    /// Where the arguments are no object.
    pub fn prompt<G: Prompts>(
        &self,
        app: &App,
        prompt: &str,
        arguments: Value,
    ) -> Result<End<PromptResult>, Error> {
        let Value::Object(arguments) = arguments else {
            panic!("a prompt's arguments are an object, not {arguments}")
        };
        G::get(
            app,
            PromptRequest {
                prompt: prompt.to_owned(),
                arguments,
                ..PromptRequest::default()
            },
        )
    }

    /// Lets a guest finish what somebody types.
    ///
    /// # Errors
    /// The guest's own.
    pub fn complete<G: Completions>(
        &self,
        app: &App,
        request: CompleteRequest,
    ) -> Result<Completion, Error> {
        G::complete(app, request)
    }

    /// What the guest ran the app with, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.0.borrow().requests.clone()
    }

    /// What the guest answered to pauses, in order. What comes of each is scripted like a run.
    #[must_use]
    pub fn replies(&self) -> Vec<Reply> {
        self.0.borrow().replies.clone()
    }

    /// What the guest reported, in order and unthinned.
    #[must_use]
    pub fn progress(&self) -> Vec<Progress> {
        self.0.borrow().progress.clone()
    }

    /// What the guest logged, in order.
    #[must_use]
    pub fn logged(&self) -> Vec<(Level, Value)> {
        self.0.borrow().log.clone()
    }

    /// What the guest told its client, in order.
    #[must_use]
    pub fn told(&self) -> Vec<(Level, Value)> {
        self.0.borrow().told.clone()
    }

    /// What the guest said had changed, in order.
    #[must_use]
    pub fn changes(&self) -> Vec<Change> {
        self.0.borrow().changes.clone()
    }

    /// How long the guest waited in all; no time really passed.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.0.borrow().waited
    }

    /// How many runs were stopped, or dropped before their end, which stops them as well.
    #[must_use]
    pub fn stopped(&self) -> usize {
        self.0.borrow().stopped
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // An older host must not take a younger one with it.
        HOST.with_borrow_mut(|host| host.take_if(|host| Rc::ptr_eq(host, &self.0)));
    }
}
