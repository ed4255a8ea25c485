//! The client against what a real Dify said (`tests/recordings`), byte for byte, and against a Dify that misbehaves.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod capacity;
mod dead;
mod every;
mod files;
mod follow;
mod history;
mod human_input;
mod leaving;
mod network;
mod reading;
mod recording;
mod refusals;
mod replay;
mod server;
mod silence;
mod states;
