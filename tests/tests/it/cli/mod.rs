//! The program at a terminal, for people and for programs.

mod app;
mod demo;
mod desk;
mod serve;
