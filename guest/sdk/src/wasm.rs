//! The component's side of the contract. Public for `export!` alone: authors use the types at the crate's root.

use std::marker::PhantomData;

use crate::Guest;
use crate::client::Level;

mod convert;
pub(crate) mod imports;

/// What `wit-bindgen` makes of `wit/`.
pub mod bindings {
    #![expect(missing_docs, reason = "generated; `wit/` documents it")]

    // The path is this crate's own, so that a copy of the crate outside the repository finds the contract too.
    wit_bindgen::generate!({
        path: "wit",
        world: "guest",
        pub_export_macro: true,
    });
}

use bindings::airlock::guest::types;
use bindings::exports::airlock::guest::tools;

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
