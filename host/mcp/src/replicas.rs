//! Several servers on one address: what one of them learns of a session that another may need.
//!
//! Each replica looks at itself first, and tells the others only where there could be some. What they tell is named by
//! [`SessionKey`]s and the apps of tasks, so that it means nothing to another app.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::{
    sync::{broadcast, oneshot},
    time::timeout,
};

use crate::{
    Channel, Level, SessionKey, TaskKey,
    fault::Fault,
    mailbox::{Answered, Said},
    serve::Shared,
};

/// The way to the other replicas, if there is one.
#[derive(Default)]
pub(crate) struct Replicas {
    channel: Option<Arc<dyn Channel>>,
    /// Tells this replica from the others.
    me: Replica,
    /// Answers that were passed on, until another replica says that it took them. Bounded by the POSTs that wait.
    passed_on: Mutex<HashMap<u64, oneshot::Sender<()>>>,
    next: AtomicU64,
}

/// Random.
type Replica = [u8; 16];

#[derive(Serialize, Deserialize)]
struct Message<'a> {
    from: Replica,
    #[serde(borrow)]
    word: Word<'a>,
}

/// What replicas tell one another.
#[derive(Serialize, Deserialize)]
pub(crate) enum Word<'a> {
    /// A client answered a question that another replica may have asked; who takes it says so.
    Answer {
        /// None where nobody waits for that word.
        number: Option<u64>,
        session: SessionKey,
        id: Cow<'a, str>,
        /// None where the client answered with an error.
        #[serde(borrow)]
        result: Option<&'a RawValue>,
    },
    /// The answer that replica `to` passed on under this number is where it belongs.
    Taken { to: Replica, number: u64 },
    /// `notifications/cancelled`.
    Cancel {
        session: SessionKey,
        id: Cow<'a, str>,
    },
    /// `tasks/cancel`.
    CancelTask { app: Cow<'a, str>, task: TaskKey },
    /// The client ended its session.
    End { session: SessionKey },
    /// `logging/setLevel`.
    Level { session: SessionKey, level: Level },
    /// `resources/subscribe`.
    Subscribe {
        session: SessionKey,
        uri: Cow<'a, str>,
    },
    /// `resources/unsubscribe`.
    Unsubscribe {
        session: SessionKey,
        uri: Cow<'a, str>,
    },
}

impl<'a> Word<'a> {
    pub(crate) fn answer(answered: &'a Answered, number: Option<u64>) -> Self {
        Self::Answer {
            number,
            session: answered.session,
            id: Cow::Borrowed(&answered.id),
            result: match &answered.said {
                Said::Result(result) => Some(result),
                Said::Refused => None,
            },
        }
    }
}

/// An answer that was passed on. Dropping it forgets that anybody waits.
struct PassedOn<'a> {
    replicas: &'a Replicas,
    number: u64,
    taken: oneshot::Receiver<()>,
}

impl Replicas {
    /// One of several, connected by `channel`.
    pub(crate) fn new(channel: Arc<dyn Channel>) -> Self {
        let mut me = Replica::default();
        getrandom::fill(&mut me).expect("a server starts with a system that has randomness");
        Self {
            channel: Some(channel),
            me,
            ..Self::default()
        }
    }

    fn others(&self) -> Option<&dyn Channel> {
        self.channel.as_deref().filter(|it| it.is_shared())
    }

    /// Tells the others, best effort.
    pub(crate) fn tell(&self, word: Word<'_>) {
        if let Some(channel) = self.others()
            && let Err(error) = channel.publish(self.message(word))
        {
            tracing::warn!(%error, "a client's word reached this replica alone");
        }
    }

    /// Passes on an answer that nobody waits for here, and waits until another replica has taken it.
    pub(crate) async fn pass_on(&self, answered: &Answered, within: Duration) -> Result<(), Fault> {
        let channel = self.others().ok_or(Fault::Unasked)?;
        let mut passed_on = self.passed_on();
        let word = Word::answer(answered, Some(passed_on.number));
        channel.publish(self.message(word)).map_err(|error| {
            tracing::warn!(%error, "an answer was not passed on");
            Fault::Unreachable
        })?;
        match timeout(within, &mut passed_on.taken).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Fault::Unasked),
        }
    }

    fn passed_on(&self) -> PassedOn<'_> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, taken) = oneshot::channel();
        self.lock().insert(number, sender);
        PassedOn {
            replicas: self,
            number,
            taken,
        }
    }

    fn message(&self, word: Word<'_>) -> Arc<[u8]> {
        let message = Message {
            from: self.me,
            word,
        };
        serde_json::to_vec(&message)
            .expect("strings, numbers and raw JSON are JSON")
            .into()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<()>>> {
        self.passed_on
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PassedOn<'_> {
    fn drop(&mut self) {
        self.replicas.lock().remove(&self.number);
    }
}

/// Does what other replicas tell, for as long as they can be heard.
pub(crate) async fn hear(shared: Arc<Shared>, mut messages: broadcast::Receiver<Arc<[u8]>>) {
    loop {
        match messages.recv().await {
            Ok(message) => match serde_json::from_slice::<Message<'_>>(&message) {
                Ok(Message { from, .. }) if from == shared.replicas.me => {}
                Ok(Message { from, word }) => heard(&shared, from, word),
                Err(error) => {
                    tracing::warn!(%error, "a replica of another version was not understood")
                }
            },
            Err(broadcast::error::RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "other replicas spoke too fast, and were not heard");
            }
            Err(broadcast::error::RecvError::Closed) => {
                tracing::warn!("other replicas can no longer be heard");
                return;
            }
        }
    }
}

fn heard(shared: &Shared, from: Replica, word: Word<'_>) {
    match word {
        Word::Answer {
            number,
            session,
            id,
            result,
        } => {
            let said = result.map_or(Said::Refused, |result| Said::Result(result.to_owned()));
            let id = id.into_owned().into();
            let delivered = shared.mailbox.deliver(Answered { session, id, said });
            if let (Ok(()), Some(number)) = (delivered, number) {
                shared.replicas.tell(Word::Taken { to: from, number });
            }
        }
        Word::Taken { to, number } => {
            let replicas = &shared.replicas;
            if to == replicas.me
                && let Some(taken) = replicas.lock().remove(&number)
            {
                // An error says that its client has left.
                let _ = taken.send(());
            }
        }
        Word::Cancel { session, id } => shared.inflight.cancel(session, &id),
        Word::CancelTask { app, task } => shared.running.cancel(&app, task),
        Word::End { session } => shared.end(session),
        Word::Level { session, level } => shared.wishes.set_level(session, level),
        Word::Subscribe { session, uri } => {
            // The replica that was asked has said whether it is too much.
            shared.wishes.subscribe(session, &uri);
        }
        Word::Unsubscribe { session, uri } => shared.wishes.unsubscribe(session, &uri),
    }
}
