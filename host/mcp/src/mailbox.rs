//! Our own requests to clients of the `initialize` era, and where their answers are waited for.
//!
//! An answer comes as another POST, and its id is all that ties the two together: ids are unguessable, and good in the
//! session that was asked alone.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use data_encoding::BASE64URL_NOPAD;
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use crate::SessionKey;

/// What a client said.
#[derive(Debug)]
pub(crate) enum Said {
    Result(Box<RawValue>),
    /// It answered with an error.
    Refused,
}

/// A client's answer to one of our requests.
pub(crate) struct Answered {
    pub(crate) session: SessionKey,
    /// Of the request, as raw JSON.
    pub(crate) id: Box<str>,
    pub(crate) said: Said,
}

/// All requests that wait. What waits is bounded by the calls that run.
#[derive(Default)]
pub(crate) struct Mailbox {
    waiting: Mutex<HashMap<Key, oneshot::Sender<Said>>>,
}

/// Raw JSON of the id, as we write it.
type Key = (SessionKey, Box<str>);

/// One request that waits for its answer. Dropping it makes the answer one that nobody waits for.
pub(crate) struct Expected {
    mailbox: Arc<Mailbox>,
    key: Key,
    answer: oneshot::Receiver<Said>,
}

impl Mailbox {
    /// A new id, of which answers are waited for from now on; none when the system has no randomness.
    pub(crate) fn expect(self: &Arc<Self>, session: SessionKey) -> Option<Expected> {
        let mut id = [0; 16];
        getrandom::fill(&mut id)
            .inspect_err(
                |error| tracing::error!(%error, "no request id: the system gave no randomness"),
            )
            .ok()?;
        let key = (
            session,
            format!("\"{}\"", BASE64URL_NOPAD.encode(&id)).into(),
        );
        let (said, answer) = oneshot::channel();
        self.lock().insert(Key::clone(&key), said);
        Some(Expected {
            mailbox: Arc::clone(self),
            key,
            answer,
        })
    }

    /// Gives an answer back that nobody waits for.
    pub(crate) fn deliver(&self, answered: Answered) -> Result<(), Answered> {
        let Answered { session, id, said } = answered;
        let key = (session, id);
        let said = match self.lock().remove(&key) {
            Some(waiting) => waiting.send(said),
            None => Err(said),
        };
        let (session, id) = key;
        said.map_err(|said| Answered { session, id, said })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, oneshot::Sender<Said>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Expected {
    /// As raw JSON.
    pub(crate) fn id(&self) -> &str {
        &self.key.1
    }

    /// Waits. Dropping the future loses nothing.
    pub(crate) async fn answer(&mut self) -> Said {
        (&mut self.answer).await.unwrap_or(Said::Refused)
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.mailbox.lock().remove(&self.key);
    }
}
