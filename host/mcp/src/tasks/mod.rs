//! Calls that outlive their request (`io.modelcontextprotocol/tasks`).

mod store;

pub use store::{Kept, Stored, TaskKey, TaskRow, TaskStore, TaskStoreError};
