//! What an author of an Airlock guest uses.
//!
//! A guest is a type that implements [`Guest`], handed to [`export!`]. It describes the tools that serve one Dify app and
//! answers one call after the other, each in an instance of its own.
//!
//! * [`dify`] runs the app behind the guest; [`client`] speaks with whoever called: progress, log, cancellation, time.
//! * [`App`], [`Manifest`], [`Tool`], [`Schema`], [`CallRequest`], [`CallResult`], [`Questions`] and [`Error`] are the words of
//!   the contract (`wit/`), as plain types with builders; JSON as it stands is possible everywhere.
//! * [`form`] reads a Dify app's input form.
//! * [`testing`] is a host made of scripts, so that a guest is tested natively, without WebAssembly.

mod annotations;
mod app;
mod arguments;
pub mod client;
pub mod dify;
mod error;
mod manifest;
mod outcome;
mod request;
mod schema;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
#[cfg(test)]
mod tests;
#[doc(hidden)]
#[cfg(target_family = "wasm")]
pub mod wasm;

/// A Dify app's input form: what its variables are, their JSON Schema, and inputs from a call's arguments.
pub use airlock_form as form;
pub use annotations::Annotations;
pub use app::{App, Mode};
pub use arguments::FromArgument;
pub use error::{DifyError, Error};
pub use manifest::{Manifest, Tool};
pub use outcome::{CallResult, Content, FileRef, Outcome, Questions};
pub use request::{Answers, CallRequest};
pub use schema::Schema;
/// The JSON that guests and hosts speak in, in the version that this crate's own types use.
pub use serde_json::{Map, Value, json};

// What stands behind the functions of `dify` and `client`: the host's imports, or natively a fake of them.
#[cfg(not(target_family = "wasm"))]
use testing::imports as host;
#[cfg(target_family = "wasm")]
use wasm::imports as host;

/// What every guest does.
pub trait Guest {
    /// Which tools serve this app. A pure function of `app`: the host calls it once per component and app facts, refuses
    /// every import meanwhile, and keeps the answer.
    ///
    /// # Errors
    /// Says why this guest cannot serve this app; the operator reads it.
    fn describe(app: &App) -> Result<Manifest, Error>;

    /// One call of one tool, in an instance that nobody used before and nobody will use again. The arguments fit the
    /// tool's input schema: the host has checked that.
    ///
    /// # Errors
    /// What went wrong, in words for the caller. A failure that the AI should reason about is a [`CallResult::failed`].
    fn call(app: &App, request: CallRequest) -> Result<Outcome, Error>;
}

/// Makes a type that implements [`Guest`] the guest of this component. Once per crate, which is a `cdylib` (and an
/// `rlib`, where its tests are to run natively).
///
/// Natively it only checks the type: a library that exports a component's functions does not link there.
#[macro_export]
macro_rules! export {
    ($guest:ty) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            type Exported = $crate::wasm::Exported<$guest>;
    $crate::wasm::bindings::export!(Exported with_types_in $crate::wasm::bindings);
        };
        #[cfg(not(target_family = "wasm"))]
        const _: () = {
            const fn is_a_guest<G: $crate::Guest>() {}
            is_a_guest::<$guest>();
        };
    };
}
