//! What changes behind an address, told to whoever listens.

use std::sync::Arc;

use tokio::sync::broadcast;

use crate::TaskKey;

/// Something that clients may have a copy of is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// `tools/list` answers differently.
    Tools,
    /// `prompts/list` answers differently.
    Prompts,
    /// `resources/list` or `resources/templates/list` answers differently.
    Resources,
    /// The resource of this URI holds something else.
    Resource(Arc<str>),
    /// The task has another status.
    Task(TaskKey),
}

/// An address's changes. A clone tells the same listeners; nothing is kept for those who do not listen.
#[derive(Clone, Debug)]
pub struct Changes(broadcast::Sender<Change>);

/// Changes that may wait for a slow listener. One who falls behind is told that everything changed, so none is lost.
const ROOM: usize = 64;

impl Changes {
    /// For one address; all who serve it tell through clones of one.
    #[must_use]
    pub fn new() -> Self {
        Self(broadcast::Sender::new(ROOM))
    }

    /// Tells all who listen. Never waits.
    pub fn tell(&self, change: Change) {
        // An error says that nobody listens.
        let _ = self.0.send(change);
    }

    pub(crate) fn listen(&self) -> broadcast::Receiver<Change> {
        self.0.subscribe()
    }
}

impl Default for Changes {
    fn default() -> Self {
        Self::new()
    }
}
