//! Airlock publishes Dify apps as MCP servers: this crate puts the rooms together and opens the doors to the outside.
//!
//! Where to look:
//!
//! * [`cli`] says what may be asked for; [`config`] what may be set.
//! * [`server`] builds everything once, in the order in which things depend on one another, and runs it.
//! * [`net`] is the data plane: from a connection to an app's service.
//! * [`call`] is one `tools/call`: what MCP asks of a server, and what a guest asks of Dify.
//! * [`limits`] names the bounds of a call, and [`metrics`] counts how calls end and which bounds they went over.
//! * [`files`] holds what goes in and out as a file: its bytes cross to no guest.
//! * [`publish`] turns what a guest describes into what clients see; [`guests`] keeps the compiled guests.
//! * [`ops`] is what an operator can do; [`admin`] carries it over `admin.sock`.
//! * [`settings`] is what an operator sets for one app.
//! * [`heap`] has memory that was used once go back to the system.
//! * [`addresses`] says where an app is found, and how each client is set up for it.
//!
//! The rooms (`airlock-mcp`, `airlock-dify`, `airlock-sandbox`, `airlock-registry`) never name one another.

pub mod addresses;
pub mod admin;
pub mod call;
pub mod cli;
pub mod config;
pub mod facts;
pub mod files;
pub mod guests;
pub mod heap;
pub mod limits;
pub mod metrics;
pub mod net;
pub mod ops;
pub mod publish;
pub mod scaffold;
pub mod server;
pub mod settings;
mod wakes;
