//! What tasks ask of whoever keeps them: rows that outlive a request, a client and a restart.

use std::{fmt, pin::Pin, time::SystemTime};

/// Unguessable, and the same for all that is kept of one task. A client sees it only sealed, in a task's id.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TaskKey(pub(crate) [u8; 16]);

impl TaskKey {
    /// The 16 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// From the 16 bytes of another.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for TaskKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TaskKey")
    }
}

/// One app's tasks. Rows of different apps never meet. What a row holds is not for the store to read; it holds what a
/// caller sent and what a tool answered, so it belongs encrypted on a disk.
pub trait TaskStore: Send + Sync + 'static {
    /// A new row, of revision 1. [`Stored::Full`] where there are too many.
    fn create(&self, key: TaskKey, row: TaskRow) -> Kept<'_, Stored>;

    /// The row, and its revision; none when there is none or it has expired.
    fn load(&self, key: TaskKey) -> Kept<'_, Option<(u64, TaskRow)>>;

    /// Replaces the row if it still has that revision, and raises the revision by one. [`Stored::Refused`] when it has
    /// another or is gone: somebody else was quicker. [`Stored::Full`] when there is no room for it; there always is for
    /// a row of up to 4 KiB.
    fn replace(&self, key: TaskKey, revision: u64, row: TaskRow) -> Kept<'_, Stored>;
}

/// The future of one look into the store.
pub type Kept<'a, T> = Pin<Box<dyn Future<Output = Result<T, TaskStoreError>> + Send + 'a>>;

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is kept.
    Kept,
    /// It is not, since it is not what it was thought to be. Nothing has changed.
    Refused,
    /// It is not, since all rows together would hold too much. Nothing has changed.
    Full,
}

/// What is kept of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRow {
    /// Opaque: what the caller sent and what the tool answered, each bounded as the requests and results are
    /// ([`body_cap`](crate::Config::body_cap), [`task_cap`](crate::Config::task_cap)).
    pub state: Vec<u8>,
    /// Does it run somewhere? Rows of which that is said and that nobody runs, because the server was restarted, are for
    /// [`Mcp::resume`](crate::Mcp::resume) or [`Mcp::interrupt`](crate::Mcp::interrupt).
    pub running: bool,
    /// When it may be forgotten.
    pub expires: SystemTime,
}

/// The store cannot be reached; the words are for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the task store failed: {0}")]
pub struct TaskStoreError(pub String);
