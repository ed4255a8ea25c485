//! The contract, as wasmtime generates it from `wit/`: the world that every guest is built for, and one for each
//! interface that a guest may export besides. They share the types of the first.
#![expect(missing_docs, reason = "generated; the words stand in wit/")]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "guest",
    imports: { default: async | trappable },
    exports: { default: async },
    with: { "airlock:guest/dify.run": crate::backend::RunHandle },
});

pub(crate) mod resources {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "guest-resources",
        exports: { default: async },
        with: { "airlock:guest/types": crate::bindings::airlock::guest::types },
    });
}

pub(crate) mod prompts {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "guest-prompts",
        exports: { default: async },
        with: { "airlock:guest/types": crate::bindings::airlock::guest::types },
    });
}

pub(crate) mod completions {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "guest-completions",
        exports: { default: async },
        with: { "airlock:guest/types": crate::bindings::airlock::guest::types },
    });
}

/// The contract's types, under one name.
pub mod wit {
    pub use super::airlock::guest::client::{Caller, Change, Level};
    pub use super::airlock::guest::dify::{Answer, Event, Node, Reply, Request};
    pub use super::airlock::guest::types::{
        Answers, App, CallResult, Content, DifyError, Error, Manifest, Outcome, Questions, Tool,
    };
    pub use super::exports::airlock::guest::tools::CallRequest;

    /// What there is to read.
    pub mod resources {
        pub use super::super::resources::exports::airlock::guest::resources::{
            Body, Catalogue, Contents, Entry, ReadOutcome, ReadRequest, ReadResult, Template,
        };
    }

    /// What there is to begin with.
    pub mod prompts {
        pub use super::super::prompts::exports::airlock::guest::prompts::{
            Argument, Catalogue, GetOutcome, GetRequest, GetResult, Message, Prompt,
        };
    }

    /// What finishes what a person types.
    pub mod completions {
        pub use super::super::completions::exports::airlock::guest::completions::{
            CompleteRequest, Completion, Reference,
        };
    }
}
