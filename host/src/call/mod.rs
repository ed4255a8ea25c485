//! One `tools/call`: what MCP asks of a server ([`service`]), what a guest asks of Dify ([`backend`], [`run`]), and what
//! becomes of the guest's answer ([`outcome`]).

pub mod backend;
pub mod identity;
pub mod outcome;
pub mod run;
pub mod service;
pub mod services;
pub mod translate;

pub use service::{Service, Shared};
pub use services::Services;
