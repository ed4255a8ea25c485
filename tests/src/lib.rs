//! What tests that cross rooms share: a server beside a stand-in for Dify, and ways to speak with it.
//!
//! * [`World`]: a stand-in, a server in a home of its own, and the addresses of what is published.
//! * [`rogue`]: a Dify that misbehaves on the wire.
//! * [`post`]: MCP over plain HTTP, for what a well-behaved client would never send.
//! * [`program`]: the `airlock` program as a child process, for what only a terminal or a signal shows.
//! * [`proxy`]: what stands between clients and the server, and what it hears.
//! * [`clients`]: MCP clients of other projects, some of them driven by the scripts of `tests/clients`.
//! * [`guests`]: the components that `make guests` built.
//! * [`process`]: what a process uses.
//! * [`soak`]: many calls over many apps, with disturbances.
//!
//! The tests themselves stand in `tests/it`, one binary with a module for each matter.

pub mod clients;
pub mod guests;
pub mod post;
pub mod process;
pub mod program;
pub mod proxy;
pub mod rogue;
pub mod soak;
pub mod world;

pub use post::{Post, Posted};
pub use program::Program;
pub use proxy::Proxy;
pub use world::{World, WorldConfig};
