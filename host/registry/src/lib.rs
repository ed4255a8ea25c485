//! Which apps are published, under which credential, now.
//!
//! - [`home`]: the directory where all state lives, and the lock that makes its holder the only writer
//! - [`keys`]: the master key and what is derived from it, one key per purpose
//! - [`seal`]: authenticated encryption of what is stored or handed to clients
//! - [`secret`]: app keys and address codes, which cannot be printed
//! - [`app`], [`overlay`], [`digest`]: what is known of an app
//! - [`channel`]: what those who serve from one registry tell one another
//! - [`snapshot`]: the state in memory that every request reads, without a lock
//! - [`registry`]: the operations that change it, each one a transaction
//! - [`open`]: what is checked before a registry is used, and why one is refused
//! - [`bounds`], [`error`]: how large things may be, and what an operation can answer
//!
//! The crate knows neither MCP nor Dify nor WebAssembly: facts, manifests and components are opaque to it.

pub mod app;
pub mod bounds;
pub mod channel;
mod code;
pub mod digest;
pub mod error;
pub mod home;
pub mod keys;
pub mod open;
pub mod overlay;
pub mod registry;
pub mod seal;
pub mod secret;
mod slug;
pub mod snapshot;
mod store;
pub mod task;
#[cfg(test)]
mod testing;
mod vault;

pub use app::{Added, AppFacts, AppId, AppRecord, Described, NewApp};
pub use channel::{Channel, ChannelFull};
pub use digest::Digest;
pub use error::Error;
pub use home::{Home, HomeError, HomeLock};
pub use keys::{KeyError, MasterKey, Purpose};
pub use open::OpenError;
pub use overlay::{OutputOverlay, Overlay, PropertyOverlay, ToolOverlay};
pub use registry::Registry;
pub use seal::{Sealer, Unsealable};
pub use secret::Secret;
pub use snapshot::{Lease, Snapshot};
pub use task::{Replaced, TaskRow};
