//! The program at a terminal, for people and for programs.

mod app;
mod demo;
pub(crate) mod desk;
mod serve;
