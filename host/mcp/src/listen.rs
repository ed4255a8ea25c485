//! Streams on which a client is told of changes: `subscriptions/listen`, and the GET of the `initialize` era.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use http::Response;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::{broadcast, mpsc};

use crate::{
    Body, Change, SessionKey, TaskKey, ToolServer, Version,
    call::Out,
    inflight::Place,
    members::Members,
    reply,
    result::{self, To},
    serve::Shared,
    tasks::{self, Field},
    wishes::Wishes,
};

/// What a client is told of; nothing else goes out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Topics {
    pub(crate) tools: bool,
    pub(crate) prompts: bool,
    pub(crate) resources: bool,
}

/// Whose stream it is, and so how it is spoken on.
pub(crate) enum Ear {
    /// A `subscriptions/listen` of that id, with the resources that it named.
    Subscription {
        id: Box<str>,
        resources: Vec<String>,
        /// With their ids, as the client has them.
        tasks: Vec<(TaskKey, String)>,
    },
    /// The GET of a session, which names resources elsewhere and at any time.
    Session { session: SessionKey },
}

/// One stream.
pub(crate) struct Listener {
    pub(crate) shared: Arc<Shared>,
    pub(crate) server: Arc<dyn ToolServer>,
    pub(crate) topics: Topics,
    pub(crate) ear: Ear,
    pub(crate) place: Place,
}

/// Messages that may wait for a slow reader. More wait where the changes come from, and when too many do they become one:
/// that everything changed.
const ROOM: usize = 4;

impl Listener {
    /// The stream, which begins with `first`.
    pub(crate) fn open(
        self,
        changes: broadcast::Receiver<Change>,
        first: Option<Bytes>,
    ) -> Response<Body> {
        let (outbox, inbox) = mpsc::channel(ROOM);
        let comment_every = self.shared.config.comment_every;
        tokio::spawn(self.run(changes, outbox));
        let first: Vec<_> = first.into_iter().collect();
        reply::events(Body::events(&first, inbox, comment_every))
    }

    async fn run(self, mut changes: broadcast::Receiver<Change>, outbox: mpsc::Sender<Out>) {
        loop {
            let messages = tokio::select! {
                biased;
                () = self.server.gone().cancelled() => break,
                () = self.place.cancelled.cancelled() => break,
                () = self.shared.closing.cancelled() => break,
                () = outbox.closed() => return,
                // What is seldom done is in a box: thousands of listeners hold room for it otherwise, and do nothing.
                change = changes.recv() => match change {
                    Ok(Change::Task(key)) => Box::pin(self.task(key)).await.into_iter().collect(),
                    Ok(change) => self.messages(&change),
                    Err(broadcast::error::RecvError::Lagged(_)) => Box::pin(self.everything()).await,
                    Err(broadcast::error::RecvError::Closed) => break,
                },
            };
            for message in messages {
                if outbox.send(Out::Note(message)).await.is_err() {
                    return;
                }
            }
        }
        if let Ear::Subscription { id, .. } = &self.ear {
            let _ = outbox.send(Out::Note(self.end(id))).await;
        }
    }

    fn messages(&self, change: &Change) -> Vec<Bytes> {
        let said = match change {
            Change::Tools if self.topics.tools => self.list_changed("tools"),
            Change::Prompts if self.topics.prompts => self.list_changed("prompts"),
            Change::Resources if self.topics.resources => self.list_changed("resources"),
            Change::Resource(uri) if self.watches(uri) => self.updated(uri),
            Change::Tools
            | Change::Prompts
            | Change::Resources
            | Change::Resource(_)
            | Change::Task(_) => return Vec::new(),
        };
        vec![said]
    }

    /// All that may have changed while nobody counted.
    async fn everything(&self) -> Vec<Bytes> {
        let lists = [Change::Tools, Change::Prompts, Change::Resources];
        let mut said: Vec<_> = lists.iter().flat_map(|list| self.messages(list)).collect();
        match &self.ear {
            Ear::Subscription {
                resources, tasks, ..
            } => {
                said.extend(resources.iter().map(|uri| self.updated(uri)));
                for (key, _) in tasks {
                    said.extend(self.task(*key).await);
                }
            }
            Ear::Session { session } => {
                let watched = self.wishes().watched(*session);
                said.extend(watched.iter().map(|uri| self.updated(uri)));
            }
        }
        said
    }

    fn watches(&self, uri: &str) -> bool {
        match &self.ear {
            Ear::Subscription { resources, .. } => resources.iter().any(|watched| watched == uri),
            Ear::Session { session } => self.wishes().watches(*session, uri),
        }
    }

    fn wishes(&self) -> &Wishes {
        &self.shared.wishes
    }

    fn list_changed(&self, list: &str) -> Bytes {
        let method = format!("notifications/{list}/list_changed");
        self.ear.notification(&method, Vec::new())
    }

    fn updated(&self, uri: &str) -> Bytes {
        let method = "notifications/resources/updated";
        let uri = to_raw_value(uri).expect("a string is JSON");
        self.ear.notification(method, vec![("uri", uri)])
    }

    /// Where the task stands now; none for one that this client does not follow.
    async fn task(&self, key: TaskKey) -> Option<Bytes> {
        let Ear::Subscription { tasks, .. } = &self.ear else {
            return None;
        };
        let (_, id) = tasks.iter().find(|(followed, _)| *followed == key)?;
        let fields = tasks::detailed(&self.server, key, id).await?;
        Some(self.ear.notification("notifications/tasks", fields))
    }

    /// Only modern clients are told that a stream has ended for good.
    fn end(&self, id: &str) -> Bytes {
        let to = To {
            id,
            version: Version::V2026_07_28,
            server: &*self.server,
        };
        let mut out = result::Out::new(&to);
        out.meta(Some(&subscription(id)));
        reply::result(id, &out.end())
    }
}

impl Ear {
    /// A notification with these members of `params`.
    pub(crate) fn notification(&self, method: &str, params: Vec<Field>) -> Bytes {
        #[derive(Serialize)]
        struct Message<'a> {
            jsonrpc: &'static str,
            method: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            params: Option<Members<'a>>,
        }
        let meta = match self {
            Self::Subscription { id, .. } => Some(subscription(id)),
            Self::Session { .. } => None,
        };
        let members = params.iter().map(|(name, value)| (*name, &**value));
        let members = members.chain(meta.as_deref().map(|meta| ("_meta", meta)));
        let members: Vec<_> = members
            .map(|(name, value)| (Cow::Borrowed(name), value))
            .collect();
        let message = Message {
            jsonrpc: "2.0",
            method,
            params: Some(Members(members)).filter(|params| !params.0.is_empty()),
        };
        serde_json::to_vec(&message)
            .expect("strings and raw JSON are JSON")
            .into()
    }
}

/// Which stream a message belongs to: the id of the request that opened it, as its client wrote it.
fn subscription(id: &str) -> Box<RawValue> {
    let meta = format!(r#"{{"io.modelcontextprotocol/subscriptionId":{id}}}"#);
    RawValue::from_string(meta).expect("an id was read as JSON")
}
