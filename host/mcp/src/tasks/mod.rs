//! Calls that outlive their request (`io.modelcontextprotocol/tasks`).
//!
//! In the order of a task's life: `begin` (a call that takes long gets a row and an id), `follow` (it runs on, and its end
//! is written down), `methods` (a client looks, answers, or cancels). `record` is what a row holds, `id` what a client
//! holds, `store` who keeps the rows.

mod begin;
mod follow;
mod id;
mod methods;
mod record;
mod store;

pub(crate) use begin::{Begin, begin};
pub(crate) use follow::Running;
pub(crate) use id::Ids;
pub(crate) use methods::{Method, TaskRequest, detailed, handle, unknown};
pub(crate) use record::Field;
pub use store::{Kept, Stored, TaskKey, TaskRow, TaskStore, TaskStoreError};
