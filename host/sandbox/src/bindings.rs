//! The contract, as wasmtime generates it from `wit/`.
#![expect(missing_docs, reason = "generated; the words stand in wit/")]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "guest",
    imports: { default: async | trappable },
    exports: { default: async },
    with: { "airlock:guest/dify.run": crate::backend::RunHandle },
});

/// The contract's types, under one name.
pub mod wit {
    pub use super::airlock::guest::client::{Caller, Level};
    pub use super::airlock::guest::dify::{Answer, Event, Node, Request};
    pub use super::airlock::guest::types::{
        App, CallResult, Content, DifyError, Error, Manifest, Outcome, Questions, Tool,
    };
    pub use super::exports::airlock::guest::tools::{Answers, CallRequest};
}
