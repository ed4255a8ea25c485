//! A run whose connection is open: waiting for the head, reading, stopping, and being left behind.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt;
use serde_json::json;
use tokio::time::timeout;

use crate::bulkhead::Slot;
use crate::fold::Fold;
use crate::follow::Watch;
use crate::sse::{Bounds, Parser};
use crate::stream::{Opening, Stream};
use crate::transport::chain;
use crate::{App, Error, Event, Known, Wait};

/// How long a run that nobody wants any more is read on for its name, without which it cannot be stopped.
const NAME_WAIT: Duration = Duration::from_secs(10);
/// How long a stop may take. It is a courtesy to Dify: nobody waits for its outcome.
const STOP_WAIT: Duration = Duration::from_secs(10);

/// The fields are in the order in which they are to be dropped: first the connection, then the right to have one.
pub(crate) struct Live {
    pub(crate) source: Source,
    /// None before a run that is followed has one.
    slot: Option<Slot>,
    pub(crate) app: App,
    pub(crate) user: String,
    idle: Duration,
    parser: Parser,
    pub(crate) fold: Fold,
    stop: Stop,
    /// The request's body, while it may be sent once more.
    again: Option<Bytes>,
    /// For a run that was not started here.
    pub(crate) watch: Option<Watch>,
}

pub(crate) enum Source {
    Unopened,
    Opening(Opening),
    Open(Stream),
    Closed,
}

#[derive(PartialEq)]
enum Stop {
    No,
    /// As soon as the run has a name.
    Wanted,
    Sent,
}

impl Live {
    pub(crate) fn new(app: App, user: String, body: Bytes, fold: Fold, slot: Slot) -> Self {
        let path = fold.mode().run_path();
        let opening = app
            .transport()
            .open(app.key(), Method::POST, path, body.clone());
        Self {
            again: Some(body),
            source: Source::Opening(opening),
            slot: Some(slot),
            ..Self::bare(app, user, fold)
        }
    }

    /// A run that was not started here.
    pub(crate) fn unopened(app: App, user: String, fold: Fold, watch: Watch) -> Self {
        Self {
            watch: Some(watch),
            ..Self::bare(app, user, fold)
        }
    }

    fn bare(app: App, user: String, fold: Fold) -> Self {
        let config = app.config();
        let idle = if fold.mode().is_flow() {
            config.idle_flow
        } else {
            config.idle_chat
        };
        let parser = Parser::new(Bounds::of(config));
        Self {
            source: Source::Unopened,
            slot: None,
            app,
            user,
            idle,
            parser,
            fold,
            stop: Stop::No,
            again: None,
            watch: None,
        }
    }

    pub(crate) fn known(&self) -> Option<Known> {
        self.fold.known(&self.user)
    }

    pub(crate) fn put_slot(&mut self, slot: Slot) {
        self.slot = Some(slot);
    }

    pub(crate) async fn take_slot(&mut self) {
        if self.slot.is_none() {
            self.slot = Some(self.app.slot().await);
        }
    }

    /// Waits for the answer's head as one who wants the answer.
    pub(crate) async fn opened(&mut self) -> Result<(), Error> {
        let head = self.head().await;
        // A flow's stream begins at once; the other modes' head may wait for a slow model's first word.
        if matches!(head, Err(Error::Timeout { .. })) && self.fold.mode().is_flow() {
            self.app.transport().circuit().failed();
        }
        head
    }

    /// Waits for the answer's head. May be cancelled and called again.
    pub(crate) async fn head(&mut self) -> Result<(), Error> {
        let path = self.fold.mode().run_path();
        while let Source::Opening(opening) = &mut self.source {
            let response = timeout(self.idle, opening).await;
            let transport = self.app.transport();
            let response = response.map_err(|_| silence(self.idle, &self.fold))?;
            // From here the request is answered, or lost: there is nothing left to stop unless it is a stream.
            self.source = Source::Closed;
            let again = self.again.take();
            self.source = match (response, again) {
                // Nothing was sent where no connection came about.
                (Err(error), Some(body)) if !error.connected => {
                    Source::Opening(transport.open(self.app.key(), Method::POST, path, body))
                }
                (Err(error), _) => return Err(transport.lost(path, error)),
                (Ok(response), _) => {
                    transport.circuit().answered();
                    Source::Open(transport.stream(path, response).await?)
                }
            };
        }
        Ok(())
    }

    /// Reads one event and folds it. An error is the end, however it came about. What is seldom done is in a box: each call
    /// that waits holds room for it otherwise.
    pub(crate) async fn step(&mut self, out: &mut VecDeque<Event>) -> Result<(), Error> {
        if let Some(at) = self.watch.as_ref().map(Watch::at) {
            return Box::pin(self.follow(at, out)).await;
        }
        let data = match self.event().await {
            Ok(Some(data)) => data,
            Ok(None) => {
                let cause = "the stream ended without a last event".to_owned();
                let why = Error::Incomplete {
                    cause,
                    ids: self.fold.ids().clone(),
                };
                return Box::pin(self.recover(why, out)).await;
            }
            Err(error @ (Error::Timeout { .. } | Error::Incomplete { .. })) => {
                return Box::pin(self.recover(error, out)).await;
            }
            Err(error) => return Err(error),
        };
        self.fold.apply(&data, out)?;
        if self.stop == Stop::Wanted {
            Box::pin(self.stop()).await;
        }
        Ok(())
    }

    /// Asks Dify to stop the run, now or as soon as it has a name.
    pub(crate) async fn stop(&mut self) {
        if self.stop == Stop::Sent {
            return;
        }
        let Some(task) = &self.fold.ids().task else {
            self.stop = Stop::Wanted;
            return;
        };
        let path = self.fold.mode().stop_path(task);
        // The same user: for the chat modes Dify does nothing, silently, for any other.
        let body = serde_json::to_vec(&json!({"user": self.user})).expect("a string serialises");
        // Not sent before it is: whoever drops this meanwhile leaves it to be sent once more.
        self.stop = Stop::Wanted;
        let sent = timeout(
            STOP_WAIT,
            self.app.transport().post(self.app.key(), &path, body),
        )
        .await;
        self.stop = Stop::Sent;
        match sent {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = error.operator(), ids = %self.fold.ids(), "a run could not be stopped")
            }
            Err(_) => {
                tracing::warn!(ids = %self.fold.ids(), "the stop of a run was not answered in time")
            }
        }
    }

    /// Leaves the run behind: stops it in Dify, then frees the slot. Dify runs on by itself when a stream is dropped.
    pub(crate) async fn abandon(mut self) {
        // Nobody wants it to begin any more.
        self.again = None;
        if self.fold.ids().task.is_none() && self.stop != Stop::Sent {
            let _ = timeout(NAME_WAIT, self.learn_name()).await;
        }
        let over = self.fold.is_done();
        self.source = Source::Closed;
        if !over && self.fold.ids().task.is_some() {
            self.stop().await;
        }
    }

    async fn learn_name(&mut self) -> Result<(), Error> {
        self.head().await?;
        let mut unread = VecDeque::new();
        while self.fold.ids().task.is_none() && !self.fold.is_done() {
            let Some(data) = self.event().await? else {
                return Ok(());
            };
            self.fold.apply(&data, &mut unread)?;
            unread.clear();
        }
        Ok(())
    }

    /// The data of the next event; none at the end of the stream. Every byte counts against silence, pings included.
    pub(crate) async fn event(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            if let Some(data) = self.parser.next()? {
                return Ok(Some(data));
            }
            let Source::Open(body) = &mut self.source else {
                return Ok(self.parser.finish());
            };
            match timeout(self.idle, body.frame()).await {
                Err(_) => return Err(silence(self.idle, &self.fold)),
                Ok(None) => self.source = Source::Closed,
                Ok(Some(Err(error))) => {
                    self.source = Source::Closed;
                    return Err(Error::Incomplete {
                        cause: chain(&error),
                        ids: self.fold.ids().clone(),
                    });
                }
                Ok(Some(Ok(frame))) => {
                    if let Ok(bytes) = frame.into_data() {
                        self.parser.push(bytes);
                    }
                }
            }
        }
    }

    /// Dify may lose events (they pass through Redis at most once), but it stores how a flow's run stands.
    async fn recover(&mut self, why: Error, out: &mut VecDeque<Event>) -> Result<(), Error> {
        self.source = Source::Closed;
        let state = match &self.fold.ids().run {
            Some(run) => self.app.run_state(run).await,
            None => {
                return if self.fold.recover(None, out)? {
                    Ok(())
                } else {
                    Err(why)
                };
            }
        };
        let state = match state {
            // What keeps the rest from being read is what the caller must know.
            Err(error @ (Error::Unauthorized { .. } | Error::Forbidden { .. })) => {
                return Err(error);
            }
            Err(error) => {
                tracing::debug!(error = error.operator(), ids = %self.fold.ids(), "the state of a run could not be read");
                None
            }
            Ok(state) => Some(state),
        };
        if self.fold.recover(state, out)? {
            Ok(())
        } else {
            Err(why)
        }
    }
}

fn silence(after: Duration, fold: &Fold) -> Error {
    Error::Timeout {
        wait: Wait::Stream,
        after,
        ids: fold.ids().clone(),
    }
}
