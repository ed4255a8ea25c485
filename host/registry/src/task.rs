//! What is kept of a call that outlives its request.

use std::fmt;

/// One task. What it holds is sealed in the file.
#[derive(Clone, PartialEq, Eq)]
pub struct TaskRow {
    /// Opaque; at most [`bounds::MAX_TASK`](crate::bounds::MAX_TASK) bytes.
    pub state: Vec<u8>,
    /// Does it run somewhere?
    pub running: bool,
    /// When it is forgotten, in Unix milliseconds.
    pub expires_at: i64,
}

/// What became of a task's new row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// It is kept.
    Kept,
    /// The task has another revision by now, or is gone.
    Changed,
    /// The app's tasks would hold too much.
    Full,
}

/// What callers sent and tools answered is in no log.
impl fmt::Debug for TaskRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TaskRow")
    }
}
