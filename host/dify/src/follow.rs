//! Following a run that Dify already has.
//!
//! Two ways lead to its end, and both are walked. `GET /workflow/{run}/events` (Dify 1.14 and later) streams what comes from
//! now on: it makes progress visible and ends promptly. But it tells nothing to whoever comes a moment too late, nothing of a
//! run that has paused, and may lose events. `GET /workflows/run/{run}` says how the run stands, and is asked again and again.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use tokio::time::{Instant, sleep_until};
use url::form_urlencoded::byte_serialize;

use crate::fold::Fold;
use crate::live::{Live, Source};
use crate::wire::RunState;
use crate::{App, Error, Event, Known, Pause};

/// Between the first two looks; it doubles up to the last.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(10);
/// How long Dify may take to take up a run whose form was answered.
const TAKEN_UP_WITHIN: Duration = Duration::from_secs(30);

/// When to look next.
pub(crate) struct Watch {
    at: Instant,
    pause: Duration,
    /// Until when a paused run counts as running.
    answered: Option<Instant>,
    /// Since when Dify has not said how the run stands.
    lost: Option<Instant>,
    /// Has it said that the run is over?
    over: bool,
    /// Is the stream to begin with what it has told before?
    retold: bool,
}

impl Watch {
    pub(crate) fn new(pause: Pause) -> Self {
        let now = Instant::now();
        Self {
            at: now,
            pause: FIRST_PAUSE,
            answered: match pause {
                Pause::Ends => None,
                Pause::WasAnswered => Some(now + TAKEN_UP_WITHIN),
            },
            lost: None,
            over: false,
            retold: false,
        }
    }

    pub(crate) fn at(&self) -> Instant {
        self.at
    }

    fn later(&mut self) {
        self.at = Instant::now() + self.pause;
        self.pause = LAST_PAUSE.min(self.pause * 2);
    }

    fn runs(&self, state: &RunState) -> bool {
        match state.status.as_deref() {
            Some("running" | "scheduled") => true,
            Some("paused") => self.answered.is_some_and(|until| Instant::now() < until),
            _ => false,
        }
    }
}

impl Live {
    pub(crate) fn join(app: App, known: &Known, pause: Pause) -> Self {
        let fold = Fold::join(known, app.config().answer_cap);
        Self::unopened(app, known.user.clone(), fold, Watch::new(pause))
    }

    /// Reads one event of a run that is followed, or looks once how it stands. May be cancelled without losing an event.
    pub(crate) async fn follow(
        &mut self,
        at: Instant,
        out: &mut VecDeque<Event>,
    ) -> Result<(), Error> {
        self.take_slot().await;
        self.subscribe().await;
        // The first look comes before the first event, which cannot be judged without it; a timer may be a little late.
        if at <= Instant::now() {
            return self.look(out).await;
        }
        let reads = matches!(self.source, Source::Open(_));
        let event = tokio::select! {
            biased;
            () = sleep_until(at) => return self.look(out).await,
            event = self.event(), if reads => event,
        };
        match event {
            Ok(Some(data)) => self.fold.apply(&data, out),
            Ok(None) => Ok(()),
            Err(error) => {
                self.unsubscribe(&error);
                Ok(())
            }
        }
    }

    /// Opens the stream before the first look, so that what happens between the two is in it.
    pub(crate) async fn subscribe(&mut self) {
        if let (Source::Unopened, Some(run)) = (&self.source, &self.fold.ids().run) {
            let user: String = byte_serialize(self.user.as_bytes()).collect();
            let retold = self.watch.as_ref().is_some_and(|watch| watch.retold);
            let retold = if retold {
                "&include_state_snapshot=true"
            } else {
                ""
            };
            let path = format!("/workflow/{run}/events?user={user}{retold}");
            let transport = self.app.transport();
            let opening = transport.open(self.app.key(), Method::GET, &path, Bytes::new());
            self.source = Source::Opening(opening);
        }
        if let Err(error) = self.head().await {
            self.unsubscribe(&error);
        }
    }

    fn unsubscribe(&mut self, error: &Error) {
        tracing::debug!(error = error.operator(), ids = %self.fold.ids(), "the events of a run cannot be followed");
        self.source = Source::Closed;
    }

    async fn look(&mut self, out: &mut VecDeque<Event>) -> Result<(), Error> {
        let found = self.state().await;
        let patience = self.app.config().patience;
        let reads = matches!(self.source, Source::Open(_));
        let Some(watch) = &mut self.watch else {
            return Ok(());
        };
        match found {
            Ok(state) if watch.runs(&state) => watch.lost = None,
            // The stream's own words for it are on their way, and tell more.
            Ok(_) if reads && !watch.over => {
                watch.over = true;
                watch.pause = FIRST_PAUSE;
            }
            // What it waits for is told by the stream alone, and was told before.
            Ok(state) if state.is_paused() && !watch.retold => {
                watch.retold = true;
                watch.pause = FIRST_PAUSE;
                self.source = Source::Unopened;
            }
            Ok(state) => return self.fold.settle(state, out),
            Err(error) => {
                let since = *watch.lost.get_or_insert_with(Instant::now);
                if !error.retryable() || since.elapsed() >= patience {
                    return Err(error);
                }
                tracing::debug!(
                    error = error.operator(),
                    "Dify does not say how a run stands"
                );
            }
        }
        watch.later();
        Ok(())
    }

    async fn state(&mut self) -> Result<RunState, Error> {
        let gone = |message: &str| Error::RunGone {
            message: message.to_owned(),
        };
        let run = self.fold.ids().run.clone();
        let run = run.ok_or_else(|| gone("it has no id by which it could be looked up"))?;
        if self.fold.needs_moderation() {
            let moderated = self.app.moderates_answers().await?;
            self.fold.moderated(moderated);
        }
        let state = self.app.run_state(&run).await?;
        // Dify 1.13 answers so for a run that it does not know.
        if state.status.is_none() {
            return Err(gone("its state is empty"));
        }
        Ok(state)
    }
}
