//! One run of an app, followed event by event or to its end.

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::task::coop::consume_budget;

use crate::bulkhead::Slot;
use crate::fold::Fold;
use crate::live::Live;
use crate::{Answer, App, Error, Event, Ids, Known, RunRequest};

/// A run in progress.
///
/// It ends with Dify's last event, not with the end of the stream, which comes a second later. Then its connection is
/// closed and its slot freed at once, even if events are still to be read here.
///
/// Dropping a run that has not ended stops it in Dify: a task of its own closes the connection, posts the stop with the
/// same user, and frees the slot. If Dify has not named the run yet, that task reads on for up to 10 s until it does.
pub struct Run {
    /// None once the run has ended. It is large, and a run is handed on.
    pub(crate) live: Option<Box<Live>>,
    ready: VecDeque<Event>,
    /// The names of a run that has ended.
    ids: Ids,
    runtime: Handle,
}

impl Run {
    /// Sends `body` and waits until Dify has taken it on. The run exists before the wait does, so that dropping the
    /// future of this function stops the run too.
    pub(crate) async fn start(
        app: App,
        request: RunRequest,
        body: Bytes,
        slot: Slot,
    ) -> Result<Self, Error> {
        let fold = Fold::new(request.mode, request.conversation, app.config().answer_cap);
        let mut run = Self::of(Live::new(app, request.user, body, fold, slot));
        let head = match &mut run.live {
            Some(live) => live.opened().await,
            None => Ok(()),
        };
        head.map_err(|error| run.give_up(error))?;
        Ok(run)
    }

    pub(crate) fn of(live: Live) -> Self {
        Self {
            live: Some(Box::new(live)),
            ready: VecDeque::new(),
            ids: Ids::default(),
            runtime: Handle::current(),
        }
    }

    /// Waits for the next event; none after [`Event::Done`] or an error. May be cancelled without losing an event.
    pub async fn next(&mut self) -> Result<Option<Event>, Error> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            let Some(live) = &mut self.live else {
                return Ok(None);
            };
            // A stream that never pauses is no reason for the rest of the call, and for others, to wait.
            consume_budget().await;
            let step = live.step(&mut self.ready).await;
            if let Err(error) = step {
                return Err(self.give_up(error));
            }
            if live.fold.is_done() {
                self.close();
            }
        }
    }

    /// Waits for the end.
    pub async fn finish(mut self) -> Result<Answer, Error> {
        while let Some(event) = self.next().await? {
            if let Event::Done(answer) = event {
                return Ok(*answer);
            }
        }
        Err(Error::Incomplete {
            cause: "the run's end was already taken".to_owned(),
            ids: self.ids.clone(),
        })
    }

    /// Asks Dify to stop the run and waits until it has heard (10 s at most), or marks it to be stopped as soon as it has
    /// a name. [`Run::next`] then tells how it ended: a workflow with [`Error::Stopped`], a chat with what it had said.
    pub async fn stop(&mut self) {
        if let Some(live) = &mut self.live {
            live.stop().await;
        }
    }

    /// Leaves the run alone instead of stopping it: it goes on in Dify, and whoever has its [`Known`] can follow it. Nothing more comes
    /// of it here.
    pub fn leave(&mut self) {
        self.close();
    }

    /// By what the run can be followed or stopped from elsewhere, once Dify has named it and until it has ended.
    pub fn known(&self) -> Option<Known> {
        self.live.as_ref()?.known()
    }

    /// Dify's id of the task, once it has given one.
    pub fn task_id(&self) -> Option<&str> {
        self.ids().task.as_deref()
    }

    /// Dify's id of the workflow run, in the modes that have one.
    pub fn run_id(&self) -> Option<&str> {
        self.ids().run.as_deref()
    }

    /// What Dify calls the run, as far as it has said.
    fn ids(&self) -> &Ids {
        self.live.as_ref().map_or(&self.ids, |live| live.fold.ids())
    }

    fn close(&mut self) -> Option<Box<Live>> {
        let live = self.live.take()?;
        self.ids = live.fold.ids().clone();
        Some(live)
    }

    /// Ends the run with `error`. Where Dify has not said itself that it is over, it is stopped.
    fn give_up(&mut self, error: Error) -> Error {
        let running = match &error {
            Error::Timeout { .. } | Error::TooLarge { .. } | Error::Incomplete { .. } => true,
            Error::Unreachable { .. }
            | Error::Dead { .. }
            | Error::Unauthorized { .. }
            | Error::Forbidden { .. }
            | Error::AppUnavailable { .. }
            | Error::NotPublished
            | Error::WrongMode { .. }
            | Error::InvalidInputs(_)
            | Error::MissingQuery
            | Error::InvalidParam { .. }
            | Error::ConversationGone { .. }
            | Error::RunGone { .. }
            | Error::UnknownAction { .. }
            | Error::FormGone
            | Error::FormAnswered
            | Error::FormExpired
            | Error::Busy { .. }
            | Error::QueueFull { .. }
            | Error::RateLimited { .. }
            | Error::NotDify { .. }
            | Error::RunFailed { .. }
            | Error::Stopped { .. }
            | Error::Provider { .. }
            | Error::Server { .. } => false,
        };
        if let Some(live) = self.close()
            && running
        {
            self.runtime.spawn(live.abandon());
        }
        error
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Some(live) = self.live.take() {
            self.runtime.spawn(live.abandon());
        }
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("ids", self.ids())
            .finish_non_exhaustive()
    }
}
