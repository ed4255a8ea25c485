//! One Dify, and one app of it behind its key.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::Semaphore;

use crate::bulkhead::{Bulkhead, Slot};
use crate::transport::Transport;
use crate::wire::RunState;
use crate::{AppKey, BaseError, Config, Error, Facts, Run, RunRequest};

/// One Dify: the connections and the bulkhead that all its apps share. Cheap to clone.
#[derive(Clone)]
pub struct Dify(Arc<Shared>);

struct Shared {
    transport: Transport,
    bulkhead: Bulkhead,
    config: Config,
    /// Each app's share of the bulkhead, by a hash of its key (the key itself need not lie about once more), for as long
    /// as somebody holds the app.
    shares: Mutex<HashMap<u64, Weak<Semaphore>>>,
    hasher: RandomState,
}

/// One app. Clones, and apps made anew with the same key, share the app's part of the bulkhead.
#[derive(Clone)]
pub struct App {
    dify: Dify,
    key: Arc<AppKey>,
    share: Arc<Semaphore>,
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
        self.0.bulkhead.idle(self.0.config.in_flight).await;
    }

    /// The app that `key` opens. Whether the key is any good shows at the first use.
    pub fn app(&self, key: AppKey) -> App {
        let id = self.0.hasher.hash_one(key.as_bytes());
        let mut shares = self.0.shares.lock().unwrap_or_else(PoisonError::into_inner);
        shares.retain(|_, share| share.strong_count() > 0);
        let share = shares.get(&id).and_then(Weak::upgrade).unwrap_or_else(|| {
            let share = Arc::new(Semaphore::new(self.0.config.per_app));
            shares.insert(id, Arc::downgrade(&share));
            share
        });
        App {
            dify: self.clone(),
            key: Arc::new(key),
            share,
        }
    }
}

impl App {
    /// Reads what the app is.
    pub async fn facts(&self) -> Result<Facts, Error> {
        let _slot = self.enter().await?;
        Facts::read(self.transport(), &self.key).await
    }

    /// Starts a run: checks the inputs, waits for a slot, and sends the request. What comes back has been taken on by
    /// Dify; a refusal is an error here.
    ///
    /// Dropping this future before the request is sent leaves no trace; after that the run is stopped like a dropped
    /// [`Run`].
    pub async fn run(&self, request: RunRequest) -> Result<Run, Error> {
        let body = request.body()?;
        let slot = self.dify.0.bulkhead.enter(Some(&self.share)).await?;
        Run::start(self.clone(), request, body, slot).await
    }

    /// How a workflow's or chatflow's run stands.
    pub(crate) async fn run_state(&self, run: &str) -> Result<RunState, Error> {
        let path = format!("/workflows/run/{run}");
        self.transport().get(&self.key, &path).await?.json()
    }

    /// A slot for something short that is no run.
    pub(crate) async fn enter(&self) -> Result<Slot, Error> {
        self.dify.0.bulkhead.enter(None).await
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
