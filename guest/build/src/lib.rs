//! Makes a guest component of a guest's source: what `make guests` and `airlock guest build` share.
//!
//! - [`Toolchain`] knows how this machine compiles for [`TARGET`];
//! - [`compile`] and [`compile_all`] run cargo and return core modules;
//! - [`componentize`] turns a core module into the component that the host loads.
//!
//! It runs on the machine of whoever builds a guest and answers to a terminal, so its errors are texts with their
//! causes behind them.

mod compile;
mod component;
mod toolchain;

pub use compile::{compile, compile_all};
pub use component::componentize;
pub use toolchain::{TARGET, Toolchain, VARIABLE, WRAPPER, cargo};
