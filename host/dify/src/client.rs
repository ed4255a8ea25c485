//! One Dify, and one app of it behind its key.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::bulkhead::{Bulkhead, Slot};
use crate::line::Line;
use crate::live::Live;
use crate::transport::Transport;
use crate::wire::RunState;
use crate::{AppKey, BaseError, Config, Error, Facts, Known, Pause, Run, RunRequest, facts};

/// One Dify: the connections and the bulkhead that all its apps share. Cheap to clone.
#[derive(Clone)]
pub struct Dify(Arc<Shared>);

struct Shared {
    transport: Transport,
    bulkhead: Bulkhead,
    config: Config,
    /// Each app's share of the bulkhead, by a hash of its key (the key itself need not lie about once more), for as long
    /// as somebody holds the app.
    shares: Mutex<HashMap<u64, Weak<Line>>>,
    hasher: RandomState,
}

/// One app. Clones, and apps made anew with the same key, share the app's part of the bulkhead.
#[derive(Clone)]
pub struct App {
    dify: Dify,
    key: Arc<AppKey>,
    share: Arc<Line>,
    /// Told when a run has to wait for a slot.
    on_wait: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl Dify {
    /// Nothing is connected yet. Fails only for a base that cannot be one.
    pub fn new(config: Config) -> Result<Self, BaseError> {
        Ok(Self(Arc::new(Shared {
            transport: Transport::new(&config)?,
            bulkhead: Bulkhead::new(&config),
            config,
            shares: Mutex::default(),
            hasher: RandomState::new(),
        })))
    }

    /// Waits until nothing is in flight: every run has ended, and Dify has answered every stop. For a server that stops,
    /// after it has dropped its runs.
    pub async fn idle(&self) {
        self.0.bulkhead.idle().await;
    }

    /// The app that `key` opens. Whether the key is any good shows at the first use.
    pub fn app(&self, key: AppKey) -> App {
        let id = self.0.hasher.hash_one(key.as_bytes());
        let mut shares = self.0.shares.lock().unwrap_or_else(PoisonError::into_inner);
        shares.retain(|_, share| share.strong_count() > 0);
        let share = shares.get(&id).and_then(Weak::upgrade).unwrap_or_else(|| {
            let config = &self.0.config;
            let share = Arc::new(Line::new(config.per_app, config.queue_per_app));
            shares.insert(id, Arc::downgrade(&share));
            share
        });
        App {
            dify: self.clone(),
            key: Arc::new(key),
            share,
            on_wait: None,
        }
    }
}

impl App {
    /// The same app, which calls `hook` when a run has to wait for a slot.
    #[must_use]
    pub fn on_wait(self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            on_wait: Some(Arc::new(hook)),
            ..self
        }
    }

    /// Reads what the app is.
    pub async fn facts(&self) -> Result<Facts, Error> {
        let _slot = self.brief_slot().await?;
        Facts::read(self.transport(), &self.key).await
    }

    /// Starts a run: checks the inputs, waits for a slot, and sends the request. What comes back has been taken on by
    /// Dify; a refusal is an error here.
    ///
    /// Dropping this future before the request is sent leaves no trace; after that the run is stopped like a dropped
    /// [`Run`].
    pub async fn run(&self, request: RunRequest) -> Result<Run, Error> {
        let body = request.body()?;
        let slot = self.new_slot().await?;
        Run::start(self.clone(), request, body.into(), slot).await
    }

    /// A slot, while Dify is there.
    async fn enter(&self, share: Option<&Line>) -> Result<Slot, Error> {
        // Nobody waits for a slot towards a dead Dify, and none who waited finds out by himself that it died meanwhile.
        self.transport().refuse_while_dead()?;
        let waits = || self.on_wait.iter().for_each(|hook| hook());
        let slot = self.dify.0.bulkhead.enter(share, &waits).await?;
        self.transport().find_out(&self.key).await?;
        Ok(slot)
    }

    /// Goes on with a run that Dify already has, of a mode whose runs [can be followed](Known::can_be_followed): its events
    /// from now on, and its end, whenever that was. What it had said before is not told again; the answer is whole.
    ///
    /// Nothing is sent before the first [`Run::next`], which waits for a slot however long that takes: Dify is at work on
    /// this run already. Dropped, it is stopped like any [`Run`].
    pub fn follow(&self, known: &Known, pause: Pause) -> Run {
        Run::of(Live::join(self.clone(), known, pause))
    }

    /// A slot for something new.
    pub(crate) async fn new_slot(&self) -> Result<Slot, Error> {
        self.enter(Some(&self.share)).await
    }

    /// A slot for a run that Dify already has.
    pub(crate) async fn slot(&self) -> Slot {
        self.dify.0.bulkhead.wait(Some(&self.share)).await
    }

    /// Does its moderation look at what it says?
    pub(crate) async fn moderates_answers(&self) -> Result<bool, Error> {
        facts::moderates_answers(self.transport(), &self.key).await
    }

    /// How a workflow's or chatflow's run stands.
    pub(crate) async fn run_state(&self, run: &str) -> Result<RunState, Error> {
        let path = format!("/workflows/run/{run}");
        self.transport().get(&self.key, &path).await?.json()
    }

    /// A slot for something short that is no run.
    pub(crate) async fn brief_slot(&self) -> Result<Slot, Error> {
        self.enter(None).await
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.dify.0.transport
    }

    pub(crate) fn key(&self) -> &AppKey {
        &self.key
    }

    pub(crate) fn config(&self) -> &Config {
        &self.dify.0.config
    }
}

impl fmt::Debug for Dify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Dify")
            .field(&self.0.config.base.as_str())
            .finish()
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("dify", &self.dify)
            .finish_non_exhaustive()
    }
}
