//! Which runs of its app a task's call has started, written down so that none is started twice.
//!
//! A guest is deterministic but for its imports. So a call that ran when the server stopped begins again from its
//! arguments, and each run that it asks for is answered with the one that it had started in that place: the journal's next,
//! if that was asked the same. A run is written down before it is asked for, and its names as soon as Dify gives them. What
//! was asked for and has no name may run or not, and nobody can find out: a call that comes to such a place is interrupted.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use airlock_dify::{App, Known, Pause};
use airlock_mcp::{CallError, Stage, Task, TaskKey};
use airlock_registry::{AppId, AppRecord, Error, Registry};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::service::{Inner, Shared};

/// The journals of the calls that are tasks or may become some.
#[derive(Default)]
pub struct Journals(Mutex<HashMap<TaskKey, Arc<Journal>>>);

/// One call's runs.
pub(super) struct Journal {
    registry: Arc<Registry>,
    app: AppId,
    key: TaskKey,
    epoch: u64,
    /// Those of an earlier process that the call has not asked for yet.
    before: Mutex<VecDeque<Entry>>,
    /// Held while something is written down, so that what becomes a task misses none.
    runs: tokio::sync::Mutex<Runs>,
    interrupted: CancellationToken,
    left: AtomicBool,
}

#[derive(Default)]
struct Runs {
    /// Those that the call has asked for, in their order.
    asked: Vec<Entry>,
    /// Is there a row that they are kept with?
    kept: bool,
}

/// One run.
#[derive(Clone, Serialize, Deserialize)]
struct Entry {
    /// Of the request as it was sent.
    digest: String,
    /// The address's epoch: when it is replaced, its tasks end.
    epoch: u64,
    /// None while Dify has not named it.
    known: Option<Known>,
}

/// What a request for a run is answered with.
pub(super) enum Step {
    /// A new run, in this place of the journal.
    Start(usize),
    /// One that Dify already has.
    Follow(Known),
}

/// What a server that stops can do for a call.
pub(super) enum Left {
    /// Its runs are left to go on, and the next process goes on with it.
    GoesOn,
    /// It is a task, and the next process could not go on with it.
    Lost,
    /// It has not become a task.
    NoTask,
}

/// A run must not be started; the words are for the log.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refused(String);

impl Entry {
    fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers are JSON")
    }

    fn can_be_followed(&self, epoch: u64) -> bool {
        self.epoch == epoch && self.known.as_ref().is_some_and(Known::can_be_followed)
    }
}

/// What a task's call has started, as it is kept. None where it cannot be read.
async fn load(registry: &Registry, app: &AppRecord, key: TaskKey) -> Option<Vec<Entry>> {
    match registry.task_runs(&app.id, key.as_bytes()).await {
        Ok(runs) => runs.iter().map(|run| Entry::read(run)).collect(),
        Err(error) => {
            tracing::error!(app = %app.slug, %error, "the runs of a task cannot be read");
            None
        }
    }
}

/// Can a call that begins again be given back what it had started?
fn can_go_on(entries: &[Entry], epoch: u64) -> bool {
    !entries.is_empty() && entries.iter().all(|entry| entry.can_be_followed(epoch))
}

/// Stops runs that nobody will ask for, on the threads that do I/O.
fn stop(app: Option<&App>, io: &Handle, entries: impl IntoIterator<Item = Entry>) {
    let _io = io.enter();
    for known in entries.into_iter().filter_map(|entry| entry.known) {
        if let Some(app) = app {
            drop(app.follow(&known, Pause::Ends));
        }
    }
}

impl Journals {
    /// The journal of a call that runs.
    pub(super) fn of(&self, key: TaskKey) -> Option<Arc<Journal>> {
        self.lock().get(&key).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TaskKey, Arc<Journal>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A journal for as long as its call runs. What is left of an earlier process's runs is stopped at its end.
pub(super) struct Open {
    shared: Arc<Shared>,
    dify: Option<App>,
    journal: Arc<Journal>,
}

impl Open {
    /// Opens the journal of a call.
    ///
    /// # Errors
    /// [`CallError::Interrupted`] where a call begins again that cannot go on.
    pub(super) async fn new(service: &Inner, task: Task) -> Result<Self, CallError> {
        let (record, shared) = (&service.record, &service.shared);
        let before = match task.stage {
            Stage::New | Stage::Answered => Vec::new(),
            Stage::Resumed => load(&shared.registry, record, task.key)
                .await
                .filter(|entries| can_go_on(entries, record.credential_epoch))
                .ok_or(CallError::Interrupted)?,
        };
        let journal = Arc::new(Journal {
            registry: Arc::clone(&shared.registry),
            app: record.id.clone(),
            key: task.key,
            epoch: record.credential_epoch,
            before: Mutex::new(before.into()),
            runs: tokio::sync::Mutex::new(Runs {
                asked: Vec::new(),
                kept: task.stage != Stage::New,
            }),
            interrupted: CancellationToken::new(),
            left: AtomicBool::new(false),
        });
        shared
            .journals
            .lock()
            .insert(task.key, Arc::clone(&journal));
        Ok(Self {
            shared: Arc::clone(shared),
            dify: service.dify.clone(),
            journal,
        })
    }

    pub(super) fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.shared.journals.lock().remove(&self.journal.key);
        if !self.journal.is_left() {
            let before = std::mem::take(&mut *self.journal.before());
            stop(self.dify.as_ref(), &self.shared.io, before);
        }
    }
}

impl Journal {
    /// Answers a request for a run, which is told from others by its text. A new one is written down before this returns,
    /// with what is known of it.
    pub(super) async fn next(&self, text: &[u8], known: Option<Known>) -> Result<Step, Refused> {
        let refused = |error: &dyn std::fmt::Display| Refused(error.to_string());
        let mut entry = Entry {
            digest: HEXLOWER.encode(&Sha256::digest(text)),
            epoch: self.epoch,
            known,
        };
        let mut runs = self.runs.lock().await;
        if self.is_left() {
            return Err(Refused("the call is left to the next process".to_owned()));
        }
        if let Some(known) = self.take(&entry.digest)? {
            entry.known = Some(known.clone());
            runs.asked.push(entry);
            return Ok(Step::Follow(known));
        }
        let place = runs.asked.len();
        if runs.kept {
            self.write(place, &entry)
                .await
                .map_err(|error| refused(&error))?;
        }
        runs.asked.push(entry);
        Ok(Step::Start(place))
    }

    /// The next run of the earlier process; none where there is no more.
    fn take(&self, digest: &str) -> Result<Option<Known>, Refused> {
        let mut before = self.before();
        let Some(next) = before.front() else {
            return Ok(None);
        };
        if next.digest != digest {
            self.interrupt();
            return Err(Refused(
                "the call asks for another run than before".to_owned(),
            ));
        }
        Ok(before.pop_front().and_then(|entry| entry.known))
    }

    /// Writes down by what a run is found. One that could not be written down interrupts the call after a restart.
    pub(super) async fn name(&self, place: usize, known: Known) {
        let mut runs = self.runs.lock().await;
        let kept = runs.kept;
        let Some(entry) = runs.asked.get_mut(place) else {
            return;
        };
        entry.known = Some(known);
        if !kept {
            return;
        }
        match self.write(place, entry).await {
            Ok(()) => tracing::debug!(place, "a run of a task is written down"),
            Err(error) => tracing::error!(%error, "a run of a task was not written down"),
        }
    }

    /// Keeps what was written down so far with the task's new row, which `create` makes.
    pub(super) async fn keep<E>(
        &self,
        create: impl AsyncFnOnce(&[Vec<u8>]) -> Result<bool, E>,
    ) -> Result<bool, E> {
        let mut runs = self.runs.lock().await;
        let asked: Vec<_> = runs.asked.iter().map(Entry::to_bytes).collect();
        runs.kept = create(&asked).await?;
        let named = runs.asked.iter().filter(|entry| entry.known.is_some());
        for _ in named.filter(|_| runs.kept) {
            tracing::debug!("a run of a task is written down");
        }
        Ok(runs.kept)
    }

    async fn write(&self, place: usize, entry: &Entry) -> Result<(), Error> {
        let (key, run) = (self.key.as_bytes(), entry.to_bytes());
        let kept = self.registry.put_task_run(&self.app, key, place, &run);
        // A task that is over needs none: its call is about to hear that.
        kept.await.map(drop)
    }

    /// The call must not go on: what it has started is not to be found again.
    pub(super) fn interrupt(&self) {
        self.interrupted.cancel();
    }

    pub(super) fn interrupted(&self) -> &CancellationToken {
        &self.interrupted
    }

    /// Leaves the call's runs to go on in Dify, if it is a task that the next process can go on with.
    pub(super) async fn leave(&self) -> Left {
        let runs = self.runs.lock().await;
        if !runs.kept {
            return Left::NoTask;
        }
        let all: Vec<_> = runs.asked.iter().chain(&*self.before()).cloned().collect();
        if !can_go_on(&all, self.epoch) {
            return Left::Lost;
        }
        self.left.store(true, Ordering::Release);
        Left::GoesOn
    }

    pub(super) fn is_left(&self) -> bool {
        self.left.load(Ordering::Acquire)
    }

    fn before(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.before.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Can the call of this task, which ran when the server stopped, go on?
    pub(super) async fn can_resume(&self, key: TaskKey) -> bool {
        let entries = load(&self.shared.registry, &self.record, key).await;
        self.dify.is_some()
            && entries.is_some_and(|entries| can_go_on(&entries, self.record.credential_epoch))
    }

    /// Stops what the call of this task has started in an earlier process.
    pub(super) async fn stop_runs(&self, key: TaskKey) {
        let entries = load(&self.shared.registry, &self.record, key).await;
        stop(
            self.dify.as_ref(),
            &self.shared.io,
            entries.unwrap_or_default(),
        );
    }
}
