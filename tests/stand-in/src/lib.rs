//! A small stand-in for Dify's Service API: five sample apps, one of each mode, with the quirks that a recorded
//! Dify 1.14.2 shows on the wire.
//!
//! `airlock demo` publishes its apps; integration tests script its faults and ask what it has seen. It runs no
//! model: every answer repeats its inputs, so that a reader sees what arrived and a test can assert it.
//!
//! | module | what is behind it |
//! |---|---|
//! | `stand_in` | [`StandIn`]: start, addresses and keys, behaviours, down and up |
//! | `options` | [`Options`]: pace, pings, end-of-stream lag, connection limit |
//! | `behaviour` | [`Behaviour`]: what an app does instead of succeeding |
//! | `seen` | [`Seen`]: requests, stops and connections, and waiting for them |
//! | `apps` | [`SampleApp`]: the five apps, their forms and what they play |
//! | `server` | the accept loop with its connection limit |
//! | `routes`, `calls` | path to endpoint; what is checked before a run begins, in Dify's order |
//! | `files` | uploads, signed addresses, and what Dify makes of a file mapping |
//! | `form` | the forms as `/parameters` shows them, and Dify's checks of the inputs |
//! | `drive`, `run`, `nodes`, `ending` | a run: its course, its events, its nodes, its last words streamed or in one piece |
//! | `review` | human input: a run that waits for a form, and goes on with the answer |
//! | `stream` | response bodies of events, and streams that never end well |
//! | `state` | apps, running tasks, conversations and finished runs, all bounded |
//! | `answer`, `python`, `ids` | heads and bodies as gunicorn, Flask and Python write them; ids and app keys |

mod answer;
mod apps;
mod behaviour;
mod calls;
mod drive;
mod ending;
mod files;
mod form;
mod ids;
mod nodes;
mod options;
mod python;
mod review;
mod routes;
mod run;
mod seen;
mod server;
mod stand_in;
mod state;
mod stream;

#[cfg(test)]
mod tests;

pub use apps::{Mode, SampleApp};
pub use behaviour::{Behaviour, Canned};
pub use options::Options;
pub use seen::{Request, Seen, Stop};
pub use stand_in::StandIn;
