//! The calls that run: how many, and which of them a client may cancel.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::SessionKey;

/// All calls that run, those of sessions by session.
pub(crate) struct InFlight {
    places: Arc<Semaphore>,
    per_session: usize,
    sessions: Mutex<HashMap<SessionKey, Vec<Running>>>,
}

/// A call that its session may cancel. Two may share an id: a client that lost its connection may start again at 1.
struct Running {
    id: Box<str>,
    cancelled: CancellationToken,
    place: u64,
}

/// One call's place. Dropping it gives the place back.
pub(crate) struct Place {
    pub(crate) cancelled: CancellationToken,
    _listed: Option<Listed>,
    _permit: OwnedSemaphorePermit,
}

struct Listed {
    inflight: Arc<InFlight>,
    session: SessionKey,
    place: u64,
}

impl InFlight {
    pub(crate) fn new(places: usize, per_session: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(places)),
            per_session,
            sessions: Mutex::default(),
        }
    }

    /// A place for a call; none while too many run. Only a call with a session can be cancelled by its id: everyone's
    /// first request has id 1, so without a session an id names nobody's call.
    pub(crate) fn enter(
        self: &Arc<Self>,
        session: Option<SessionKey>,
        id: Box<str>,
    ) -> Option<Place> {
        let permit = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let cancelled = CancellationToken::new();
        let listed = match session {
            Some(session) => Some(self.list(session, id, cancelled.clone())?),
            None => None,
        };
        Some(Place {
            cancelled,
            _listed: listed,
            _permit: permit,
        })
    }

    fn list(
        self: &Arc<Self>,
        session: SessionKey,
        id: Box<str>,
        cancelled: CancellationToken,
    ) -> Option<Listed> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let calls = sessions.entry(session).or_default();
        if calls.len() >= self.per_session {
            return None;
        }
        // One above the newest: places of one session are listed in rising order.
        let place = calls.last().map_or(0, |newest| newest.place + 1);
        calls.push(Running {
            id,
            cancelled,
            place,
        });
        Some(Listed {
            inflight: Arc::clone(self),
            session,
            place,
        })
    }

    /// Cancels the session's calls of that id; unknown ones are ignored, since a cancellation may cross an answer.
    pub(crate) fn cancel(&self, session: SessionKey, id: &str) {
        self.each(session, |call| {
            if *call.id == *id {
                call.cancelled.cancel();
            }
        });
    }

    /// Cancels all that the session runs.
    pub(crate) fn cancel_all(&self, session: SessionKey) {
        self.each(session, |call| call.cancelled.cancel());
    }

    fn each(&self, session: SessionKey, act: impl Fn(&Running)) {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.get(&session).into_iter().flatten().for_each(act);
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        let mut sessions = self
            .inflight
            .sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(calls) = sessions.get_mut(&self.session) {
            calls.retain(|call| call.place != self.place);
            if calls.is_empty() {
                sessions.remove(&self.session);
            }
        }
    }
}
