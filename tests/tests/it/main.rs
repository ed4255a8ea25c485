//! Everything that crosses two rooms: one binary, a module for each matter.

mod addresses;
mod authors;
mod calls;
mod cli;
mod clients;
mod conformance;
mod dify;
mod files;
mod guests;
mod human;
mod isolation;
mod languages;
mod offers;
mod refusals;
mod registry;
mod restart;
mod revocation;
mod secrets;
mod soak;
mod tasks;
mod wasi;
