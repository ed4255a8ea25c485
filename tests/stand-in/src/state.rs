//! What outlives a request: apps, running tasks, conversations and finished runs.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::broadcast;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::apps::{Mode, SampleApp};
use crate::behaviour::Behaviour;
use crate::files::File;
use crate::form::{Field, Form, Kind};
use crate::ids;
use crate::options::Options;
use crate::review;
use crate::seen::{Counted, Recorder};
use crate::stream;

/// Conversations and runs that are remembered; the oldest are forgotten.
const REMEMBERED: usize = 1_000;

/// The shared state of one stand-in.
pub(crate) struct State {
    pub(crate) options: Options,
    pub(crate) apps: Vec<App>,
    pub(crate) seen: Arc<Recorder>,
    /// Fired when the stand-in is dropped; every run listens to it.
    pub(crate) shutdown: CancellationToken,
    tasks: Mutex<HashMap<String, Task>>,
    conversations: Mutex<Shelf<Conversation>>,
    runs: Mutex<Shelf<Kept>>,
    files: Mutex<Shelf<File>>,
    forms: Mutex<Shelf<review::Form>>,
}

/// One app as it is served.
pub(crate) struct App {
    pub(crate) sample: SampleApp,
    pub(crate) key: String,
    pub(crate) id: String,
    pub(crate) workflow_id: String,
    form: Mutex<Arc<Form>>,
    behaviour: Mutex<Behaviour>,
    /// The key that stands in the place of the first one.
    replaced: Mutex<Option<String>>,
    /// The word for its mode that stands in the place of its own.
    mode: Mutex<Option<String>>,
    /// Until when runs that begin now go on.
    hold: Mutex<CancellationToken>,
    /// Keys beside it.
    others: Mutex<HashSet<String>>,
}

/// A run that is going on.
struct Task {
    app: SampleApp,
    user: String,
    stop: CancellationToken,
    _runs: Counted,
}

/// A flow's run, which Dify keeps.
struct Kept {
    app: SampleApp,
    user: String,
    detail: Value,
    /// What it says, for as long as it runs.
    live: Option<broadcast::Sender<Bytes>>,
}

/// How a run is found by one who wants to follow it.
pub(crate) enum Found {
    Running(broadcast::Receiver<Bytes>),
    /// Paused or over: its detail.
    Resting(Value),
}

struct Conversation {
    app: SampleApp,
    user: String,
    turns: u32,
}

impl State {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            apps: options.apps.iter().copied().map(App::new).collect(),
            options,
            seen: Arc::new(Recorder::new()),
            shutdown: CancellationToken::new(),
            tasks: Mutex::default(),
            conversations: Mutex::default(),
            runs: Mutex::default(),
            files: Mutex::default(),
            forms: Mutex::default(),
        }
    }

    pub(crate) fn app(&self, sample: SampleApp) -> &App {
        let mut apps = self.apps.iter();
        apps.find(|app| app.sample == sample)
            .unwrap_or_else(|| panic!("this stand-in was started without {sample:?}"))
    }

    pub(crate) fn app_of_key(&self, key: &str) -> Option<&App> {
        self.apps.iter().find(|app| app.opens_with(key))
    }

    /// Notes that a task runs; the token is what a stop request fires.
    pub(crate) fn begin(&self, task_id: &str, app: SampleApp, user: &str) -> CancellationToken {
        let stop = CancellationToken::new();
        let task = Task {
            app,
            user: user.to_owned(),
            stop: stop.clone(),
            _runs: self.seen.run(),
        };
        locked(&self.tasks).insert(task_id.to_owned(), task);
        stop
    }

    pub(crate) fn end(&self, task_id: &str) {
        // Whoever hears of its end must find the lock free.
        let ended = locked(&self.tasks).remove(task_id);
        drop(ended);
    }

    /// Stops a task of the app. The chat-like modes and chatflows obey only the user who started it; a workflow
    /// obeys every user of the app. Returns whether something was stopped; Dify says success either way.
    pub(crate) fn stop(&self, task_id: &str, app: SampleApp, user: &str) -> bool {
        let tasks = locked(&self.tasks);
        let obeys =
            |task: &&Task| task.app == app && (app.mode() == Mode::Workflow || task.user == user);
        match tasks.get(task_id).filter(obeys) {
            Some(task) => {
                task.stop.cancel();
                true
            }
            None => false,
        }
    }

    /// Opens a conversation and returns its id.
    pub(crate) fn open_conversation(&self, app: SampleApp, user: &str) -> String {
        let id = ids::uuid();
        let conversation = Conversation {
            app,
            user: user.to_owned(),
            turns: 1,
        };
        locked(&self.conversations).put(id.clone(), conversation);
        id
    }

    /// Takes the next turn of a conversation: its number, or nothing where the app and user have no such one.
    pub(crate) fn next_turn(&self, id: &str, app: SampleApp, user: &str) -> Option<u32> {
        let mut conversations = locked(&self.conversations);
        let mine =
            |conversation: &&mut Conversation| conversation.app == app && conversation.user == user;
        let conversation = conversations.items.get_mut(id).filter(mine)?;
        conversation.turns += 1;
        Some(conversation.turns)
    }

    /// Whether the app and user have this conversation.
    pub(crate) fn has_conversation(&self, id: &str, app: SampleApp, user: &str) -> bool {
        let conversations = locked(&self.conversations);
        let found = conversations.items.get(id);
        found.is_some_and(|conversation| conversation.app == app && conversation.user == user)
    }

    /// Keeps a run that begins; what is said into the sender reaches those who follow it.
    pub(crate) fn open_run(
        &self,
        id: &str,
        app: SampleApp,
        user: &str,
        detail: Value,
    ) -> broadcast::Sender<Bytes> {
        let (live, _) = broadcast::channel(stream::WAITING);
        let kept = Kept {
            app,
            user: user.to_owned(),
            detail,
            live: Some(live.clone()),
        };
        locked(&self.runs).put(id.to_owned(), kept);
        live
    }

    /// Notes what run detail shows of a run that runs no more.
    pub(crate) fn close_run(&self, id: &str, detail: Value) {
        if let Some(kept) = locked(&self.runs).items.get_mut(id) {
            kept.detail = detail;
            kept.live = None;
        }
    }

    /// Keeps a file; its id.
    pub(crate) fn keep_file(&self, file: File) -> String {
        let id = ids::uuid();
        locked(&self.files).put(id.clone(), file);
        id
    }

    pub(crate) fn file(&self, id: &str) -> Option<File> {
        locked(&self.files).items.get(id).cloned()
    }

    /// Notes what run detail shows of a run that goes on, or will.
    pub(crate) fn note_run(&self, id: &str, detail: Value) {
        if let Some(kept) = locked(&self.runs).items.get_mut(id) {
            kept.detail = detail;
        }
    }

    pub(crate) fn put_form(&self, token: String, form: review::Form) {
        locked(&self.forms).put(token, form);
    }

    pub(crate) fn with_form<T>(
        &self,
        token: &str,
        look: impl FnOnce(Option<&mut review::Form>) -> T,
    ) -> T {
        look(locked(&self.forms).items.get_mut(token))
    }

    pub(crate) fn run_detail(&self, id: &str, app: SampleApp) -> Option<Value> {
        let runs = locked(&self.runs);
        let found = runs.items.get(id).filter(|kept| kept.app == app);
        found.map(|kept| kept.detail.clone())
    }

    /// The run, for its own user alone.
    pub(crate) fn find_run(&self, id: &str, app: SampleApp, user: &str) -> Option<Found> {
        let runs = locked(&self.runs);
        let found = runs.items.get(id);
        let kept = found.filter(|kept| kept.app == app && kept.user == user)?;
        Some(match &kept.live {
            Some(live) => Found::Running(live.subscribe()),
            None => Found::Resting(kept.detail.clone()),
        })
    }
}

impl App {
    fn new(sample: SampleApp) -> Self {
        Self {
            sample,
            key: ids::app_key(),
            id: ids::uuid(),
            workflow_id: ids::uuid(),
            form: Mutex::new(Arc::new(sample.form())),
            behaviour: Mutex::default(),
            replaced: Mutex::default(),
            mode: Mutex::default(),
            hold: Mutex::new(let_go()),
            others: Mutex::default(),
        }
    }

    pub(crate) fn form(&self) -> Arc<Form> {
        Arc::clone(&locked(&self.form))
    }

    /// Adds a short text that may be left out.
    pub(crate) fn add_input(&self, variable: &'static str, label: &'static str) {
        let mut form = locked(&self.form);
        *form = Arc::new(form.and(Field::new(Kind::Text, variable, label)));
    }

    pub(crate) fn replace_key(&self) -> String {
        let key = ids::app_key();
        *locked(&self.replaced) = Some(key.clone());
        key
    }

    /// Calls its mode something else.
    pub(crate) fn call_mode(&self, word: &str) {
        *locked(&self.mode) = Some(word.to_owned());
    }

    /// `GET /info`.
    pub(crate) fn info(&self) -> Value {
        let mut info = self.sample.info();
        if let Some(word) = &*locked(&self.mode) {
            info["mode"] = word.as_str().into();
        }
        info
    }

    /// Keeps runs that begin from now on from ending until the guard is dropped.
    pub(crate) fn hold(&self) -> DropGuard {
        let hold = CancellationToken::new();
        *locked(&self.hold) = hold.clone();
        hold.drop_guard()
    }

    /// What a run that begins now waits for at its end.
    pub(crate) fn held(&self) -> CancellationToken {
        locked(&self.hold).clone()
    }

    pub(crate) fn another_key(&self) -> String {
        let key = ids::app_key();
        locked(&self.others).insert(key.clone());
        key
    }

    fn opens_with(&self, key: &str) -> bool {
        locked(&self.replaced).as_ref().unwrap_or(&self.key) == key
            || locked(&self.others).contains(key)
    }

    pub(crate) fn behaviour(&self) -> Behaviour {
        locked(&self.behaviour).clone()
    }

    pub(crate) fn set_behaviour(&self, behaviour: Behaviour) {
        *locked(&self.behaviour) = behaviour;
    }
}

fn let_go() -> CancellationToken {
    let token = CancellationToken::new();
    token.cancel();
    token
}

/// A map that forgets its oldest entries.
struct Shelf<T> {
    items: HashMap<String, T>,
    order: VecDeque<String>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self {
            items: HashMap::new(),
            order: VecDeque::new(),
        }
    }
}

impl<T> Shelf<T> {
    fn put(&mut self, key: String, item: T) {
        if self.items.insert(key.clone(), item).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.items.remove(&oldest);
        }
    }
}

/// Every holder leaves the value whole, so a panic elsewhere is no reason to stop.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
