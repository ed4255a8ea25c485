//! The data plane: from a connection to an app's service.
//!
//! * [`accept`]: connections, bounded in number and in what they may send before they are read.
//! * `boxed`: answers that are being made, and where they are kept meanwhile.
//! * [`descriptors`]: how many the system has room for.
//! * [`door`]: one request: health, or the guards, the lease of its address, and MCP.
//! * [`timer`]: the deadline for headers, without a lock for each request.
//! * [`health`]: asking a server on this machine whether it is ready.

pub mod accept;
mod boxed;
pub mod descriptors;
pub mod door;
pub mod health;
pub mod timer;

pub use accept::{accept, drain};
pub use door::Door;
