//! A task while its call runs, and how its end is written down.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::value::RawValue;
use tokio::{sync::Notify, time::timeout};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    TaskKey, TaskStore,
    begin::Outcome,
    record::{Record, Status, Waiting},
    store::Stored,
};
use crate::{
    Answers, CallError, Change, Client, Context, End, Log, Progress, Questions, Task, ToolServer,
    Version,
    asking::Unanswered,
    fault::Fault,
    inflight::Place,
    job::Ask,
    questions, reply,
    result::{To, outcome},
    serve::Shared,
};

/// The tasks that run in this process, so that they can be cancelled.
#[derive(Default)]
pub(crate) struct Running {
    tasks: Mutex<HashMap<Key, CancellationToken>>,
    /// Notified when the last one has ended.
    idle: Notify,
}

/// An app, and a task of its own.
type Key = (Box<str>, TaskKey);

/// A task's place in the list. Dropping it takes it off.
pub(super) struct Listed {
    running: Arc<Running>,
    key: Key,
}

impl Running {
    pub(super) fn list(
        self: &Arc<Self>,
        app: &str,
        task: TaskKey,
        cancelled: CancellationToken,
    ) -> Listed {
        let key: Key = (app.into(), task);
        self.lock().insert(key.clone(), cancelled);
        Listed {
            running: Arc::clone(self),
            key,
        }
    }

    /// Nothing, if it runs elsewhere: should nothing else tell it, it finds at its end that it was cancelled.
    pub(crate) fn cancel(&self, app: &str, task: TaskKey) {
        if let Some(cancelled) = self.lock().get(&(app.into(), task)) {
            cancelled.cancel();
        }
    }

    /// Waits until none runs.
    pub(crate) async fn idle(&self) {
        loop {
            let idle = self.idle.notified();
            if self.lock().is_empty() {
                return;
            }
            idle.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, CancellationToken>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        let mut tasks = self.running.lock();
        tasks.remove(&self.key);
        if tasks.is_empty() {
            self.running.idle.notify_waiters();
        }
    }
}

/// A task's call. "No progress or log notifications for tasks" (SEP-2663): whoever follows one asks how it stands.
pub(super) fn running(
    server: &Arc<dyn ToolServer>,
    ask: &Ask,
    answers: Option<Answers>,
    client: Client,
    task: Task,
    place: &Place,
) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
    let context = Context {
        client,
        session: None,
        progress: Progress::off(),
        log: Log::off(),
        cancelled: place.cancelled.clone(),
    };
    let (server, ask) = (Arc::clone(server), ask.clone());
    // On a task of its own: what panics in a server must not take with it who writes down that it did.
    let call = async move { ask.start(&server, answers, Some(task), context).await };
    let call = AbortOnDropHandle::new(tokio::spawn(call));
    Box::pin(async {
        call.await.unwrap_or_else(|_panicked| {
            let words = "The call failed inside the server";
            Err(CallError::Internal(words.to_owned()))
        })
    })
}

/// One task, and where it is kept.
pub(super) struct Following {
    pub(super) shared: Arc<Shared>,
    pub(super) server: Arc<dyn ToolServer>,
    pub(super) store: Arc<dyn TaskStore>,
    pub(super) key: TaskKey,
}

/// Attempts to write while others write too.
pub(super) const ATTEMPTS: usize = 8;

impl Following {
    /// Runs the call to its end, or to its cancellation. One that is suspended leaves its row as it stands.
    pub(super) async fn follow(
        &self,
        mut call: Pin<Box<dyn Future<Output = Outcome> + Send>>,
        client: &Client,
        cancelled: &CancellationToken,
    ) {
        let status = tokio::select! {
            biased;
            () = self.server.gone().cancelled() => Some(failed(&Fault::Gone)),
            // Whoever cancelled it has written it down.
            () = cancelled.cancelled() => None,
            outcome = &mut call => {
                if !matches!(outcome, Err(CallError::Suspended)) {
                    self.turn(end(&self.shared, &self.server, client, outcome)).await;
                }
                return;
            }
        };
        cancelled.cancel();
        let _ = timeout(self.shared.config.wind_down, call).await;
        if let Some(status) = status {
            self.turn(status).await;
        }
    }

    /// Writes down where the task stands, unless it is over already.
    pub(super) async fn turn(&self, mut status: Status) {
        for _ in 0..ATTEMPTS {
            match self.try_turn(&status).await {
                Ok(Some(Stored::Kept)) => return self.tell(),
                Ok(Some(Stored::Refused)) => {}
                Ok(Some(Stored::Full)) => status = failed(&Fault::NoRoom),
                Ok(None) => return,
                Err(error) => {
                    tracing::error!(%error, "a task's end was not kept");
                    return;
                }
            }
        }
        tracing::error!("a task's end was not kept: others were always quicker");
    }

    async fn try_turn(&self, status: &Status) -> Result<Option<Stored>, super::TaskStoreError> {
        let Some((revision, row)) = self.store.load(self.key).await? else {
            return Ok(None);
        };
        let Some(mut record) = Record::of_row(&row).filter(|record| !record.is_over()) else {
            return Ok(None);
        };
        record.turn(status.clone());
        let row = record.to_row();
        self.store.replace(self.key, revision, row).await.map(Some)
    }

    pub(super) fn tell(&self) {
        if let Some(changes) = self.server.changes() {
            changes.tell(Change::Task(self.key));
        }
    }
}

/// Where a task stands once its call has come to something.
pub(super) fn end(
    shared: &Shared,
    server: &Arc<dyn ToolServer>,
    client: &Client,
    ended: Outcome,
) -> Status {
    let ended = match ended {
        Ok(End::InputRequired(questions)) => return waiting(client, questions),
        Ok(End::Complete(ended)) => Ok(ended),
        Err(error) => Err(error),
    };
    let to = To {
        id: "",
        version: Version::V2026_07_28,
        server: &**server,
    };
    let ask = Ask::Call {
        tool: String::new(),
        arguments: RawValue::from_string("{}".to_owned())
            .expect("an empty object is JSON")
            .into(),
    };
    match outcome(&to, &ask, ended) {
        Ok(result) if result.len() > shared.config.task_cap => failed(&Fault::Internal(
            "The result is too large to be kept".to_owned(),
        )),
        Ok(result) => {
            let result = String::from_utf8(result).expect("JSON is UTF-8");
            Status::Completed(RawValue::from_string(result).expect("a result is JSON"))
        }
        Err(fault) => failed(&fault),
    }
}

fn waiting(client: &Client, questions: Questions) -> Status {
    let malformed = Fault::Internal(Unanswered::Malformed.to_string());
    let needs: Option<Vec<_>> = questions::read(&questions)
        .ok()
        .map(|read| read.iter().map(questions::Question::needs).collect())
        .unwrap_or_default();
    match needs {
        // Without a question nobody would ever come to answer.
        None => failed(&malformed),
        Some(needs) if needs.is_empty() => failed(&malformed),
        Some(needs) => match needs.iter().find(|needs| !client.capabilities.has(**needs)) {
            Some(missing) => failed(&Fault::MissingCapability(*missing)),
            None => Status::InputRequired(Waiting {
                requests: questions.requests,
                responses: Vec::new(),
                state: questions.state,
            }),
        },
    }
}

pub(super) fn failed(fault: &Fault) -> Status {
    let error = RawValue::from_string(reply::error_object(fault));
    Status::Failed(error.expect("an error is JSON"))
}
