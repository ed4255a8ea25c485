//! The component's side of the contract. Public for `export!` alone: authors use the types at the crate's root.

use std::marker::PhantomData;

use crate::client::Level;
use crate::{Completions, Guest, Prompts, Resources};

mod convert;
mod extras;
pub(crate) mod imports;
mod memory;

/// What `wit-bindgen` makes of the world that every guest is built for.
pub mod bindings {
    #![expect(missing_docs, reason = "generated; `wit/` documents it")]

    // The path is this crate's own, so that a copy of the crate outside the repository finds the contract too.
    wit_bindgen::generate!({
        path: "wit",
        world: "guest",
        pub_export_macro: true,
    });
}

/// The same for `guest-resources`; it shares the types.
pub mod resources_bindings {
    #![expect(missing_docs, reason = "generated; `wit/` documents it")]

    wit_bindgen::generate!({
        path: "wit",
        world: "guest-resources",
        pub_export_macro: true,
        with: { "airlock:guest/types@0.1.0": crate::wasm::bindings::airlock::guest::types },
    });
}

/// The same for `guest-prompts`.
pub mod prompts_bindings {
    #![expect(missing_docs, reason = "generated; `wit/` documents it")]

    wit_bindgen::generate!({
        path: "wit",
        world: "guest-prompts",
        pub_export_macro: true,
        with: { "airlock:guest/types@0.1.0": crate::wasm::bindings::airlock::guest::types },
    });
}

/// The same for `guest-completions`.
pub mod completions_bindings {
    #![expect(missing_docs, reason = "generated; `wit/` documents it")]

    wit_bindgen::generate!({
        path: "wit",
        world: "guest-completions",
        pub_export_macro: true,
        with: { "airlock:guest/types@0.1.0": crate::wasm::bindings::airlock::guest::types },
    });
}

use bindings::airlock::guest::types;
use bindings::exports::airlock::guest::tools;
use completions_bindings::exports::airlock::guest::completions;
use prompts_bindings::exports::airlock::guest::prompts;
use resources_bindings::exports::airlock::guest::resources;

/// A [`Guest`] as the component's exports want it.
pub struct Exported<G>(PhantomData<G>);

impl<G: Guest> tools::Guest for Exported<G> {
    fn describe(app: types::App) -> Result<types::Manifest, types::Error> {
        let manifest = convert::app(app).and_then(|app| G::describe(&app));
        manifest.map(convert::manifest).map_err(convert::error_out)
    }

    fn call(app: types::App, request: tools::CallRequest) -> Result<types::Outcome, types::Error> {
        log_panics();
        let outcome = convert::app(app).and_then(|app| G::call(&app, convert::request(request)?));
        outcome.map(convert::outcome).map_err(convert::error_out)
    }
}

impl<G: Resources> resources::Guest for Exported<G> {
    fn describe(app: types::App) -> Result<resources::Catalogue, types::Error> {
        let list = convert::app(app).and_then(|app| G::resources(&app));
        list.map(extras::resources).map_err(convert::error_out)
    }

    fn read(
        app: types::App,
        request: resources::ReadRequest,
    ) -> Result<resources::ReadOutcome, types::Error> {
        log_panics();
        let read = convert::app(app).and_then(|app| G::read(&app, extras::read(request)?));
        read.map(extras::read_outcome).map_err(convert::error_out)
    }
}

impl<G: Prompts> prompts::Guest for Exported<G> {
    fn describe(app: types::App) -> Result<prompts::Catalogue, types::Error> {
        let list = convert::app(app).and_then(|app| G::prompts(&app));
        list.map(extras::prompts).map_err(convert::error_out)
    }

    fn get(
        app: types::App,
        request: prompts::GetRequest,
    ) -> Result<prompts::GetOutcome, types::Error> {
        log_panics();
        let got = convert::app(app).and_then(|app| G::get(&app, extras::get(request)?));
        got.map(extras::get_outcome).map_err(convert::error_out)
    }
}

impl<G: Completions> completions::Guest for Exported<G> {
    fn complete(
        app: types::App,
        request: completions::CompleteRequest,
    ) -> Result<completions::Completion, types::Error> {
        log_panics();
        let completed =
            convert::app(app).and_then(|app| G::complete(&app, extras::complete(request)?));
        completed
            .map(extras::completion)
            .map_err(convert::error_out)
    }
}

/// A panic ends the instance with a trap that says nothing; its words go to the operator's log first. Only in a call:
/// while a guest describes, the host refuses every import.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        imports::log(
            Level::Critical,
            format!("the guest panicked: {panic}").into(),
        )
    }));
}
