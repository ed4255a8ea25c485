//! Everything that crosses two rooms: one binary, a module for each matter.

mod calls;
mod conformance;
mod offers;
mod tasks;
