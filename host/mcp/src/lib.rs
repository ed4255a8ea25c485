//! The Model Context Protocol over HTTP bodies: what a client posts goes in, a response whose body may stream comes out.
//!
//! It knows neither Dify nor WebAssembly: whoever has tools to offer implements [`ToolServer`], and calls
//! [`Mcp::serve`] with each request that reached its address.
//!
//! In the order in which a request meets them: `guard` (Origin and Host), `serve` (the HTTP door: method, headers,
//! body), `envelope` and `params` (JSON-RPC, borrowed), `eras` (which protocol it is; one module per era), `session`
//! (signed ids, nothing stored), `job` (what is asked, the same for all eras), `call` (JSON or a stream) and `run` (what
//! ends a request early), `progress` and `log` (what is said meanwhile), `result` (answers by version), `reply` and
//! `body` (the bytes that go back). `fault` holds every refusal with its status and code.
//!
//! Some requests go on elsewhere: `questions` (what a server asks before it can answer), carried by modern clients in
//! `state` and by older ones answered through `asking` and `mailbox`; `tasks` (calls that outlive their request);
//! `listen` (streams of `changes`; `wishes` is what older sessions asked to be told). What one of several servers hears
//! and another has to know goes through a `channel`; `replicas` is what they say there. `tools`, `catalog` and `list` are
//! what lists say, `mirror` the arguments that calls repeat in headers.

mod about;
mod accept;
mod ask;
mod asking;
mod body;
mod call;
mod capabilities;
mod catalog;
mod changes;
mod channel;
mod config;
mod envelope;
mod eras;
#[cfg(test)]
mod fake;
mod fault;
mod guard;
mod here;
mod inflight;
mod job;
mod keys;
mod list;
mod listen;
mod log;
mod mailbox;
mod members;
mod mirror;
mod params;
mod progress;
mod questions;
mod read;
mod replicas;
mod reply;
mod result;
mod run;
mod serve;
mod server;
mod session;
mod state;
mod tasks;
mod tools;
mod version;
mod wishes;

pub use ask::{
    Answers, Call, CallError, Client, Complete, Completion, Context, End, GetPrompt, PromptResult,
    Questions, Read, ReadResult, Reference, Stage, Task,
};
pub use body::Body;
pub use capabilities::Capabilities;
pub use catalog::Catalog;
pub use changes::{Change, Changes};
pub use channel::{Channel, ChannelError};
pub use config::Config;
pub use guard::{Guard, GuardConfig, GuardError, Passed, Refusal};
pub use keys::Keys;
pub use list::ListError;
pub use log::{Level, Log};
pub use progress::Progress;
pub use reply::not_found;
pub use result::CallResult;
pub use serve::Mcp;
pub use server::{About, Answer, Offers, ToolServer};
pub use session::SessionKey;
pub use tasks::{Kept, Stored, TaskKey, TaskRow, TaskStore, TaskStoreError};
pub use tools::Tools;
pub use version::Version;
