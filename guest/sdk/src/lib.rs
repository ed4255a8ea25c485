//! What an author of an Airlock guest uses.
//!
//! A guest is a type that implements [`Guest`], handed to [`export!`]. It describes the tools that serve one Dify app and
//! answers one call after the other, each in an instance of its own. It may also implement [`Resources`], [`Prompts`] and
//! [`Completions`]; `export!` is told which.
//!
//! * [`dify`] runs the app behind the guest; [`client`] speaks with whoever called: progress, log, cancellation, time.
//! * [`App`], [`Manifest`], [`Tool`], [`Schema`], [`CallRequest`], [`CallResult`], [`Questions`] and [`Error`] are the words of
//!   the contract (`wit/`), as plain types with builders; JSON as it stands is possible everywhere. [`ResourceList`],
//!   [`ReadResult`], [`PromptList`], [`PromptResult`] and [`Completion`] are those of what is exported besides.
//! * [`form`] reads a Dify app's input form.
//! * [`testing`] is a host made of scripts, so that a guest is tested natively, without WebAssembly.

mod annotations;
mod app;
mod arguments;
pub mod client;
mod completion;
pub mod dify;
mod error;
mod manifest;
mod outcome;
mod prompt;
mod request;
mod resource;
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
pub use completion::{CompleteRequest, Completion, Reference};
pub use error::{DifyError, Error};
pub use manifest::{Manifest, Tool};
pub use outcome::{CallResult, Content, End, FileRef, Outcome, Questions};
pub use prompt::{Message, Prompt, PromptArgument, PromptList, PromptRequest, PromptResult, Role};
pub use request::{Answers, CallRequest, Session};
pub use resource::{
    Body, Contents, ReadRequest, ReadResult, Resource, ResourceList, ResourceTemplate,
};
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

/// What a guest does that has something to read.
pub trait Resources: Guest {
    /// What there is to read. Pure, as [`Guest::describe`] is, and asked for at the same time.
    ///
    /// # Errors
    /// As [`Guest::describe`].
    fn resources(app: &App) -> Result<ResourceList, Error>;

    /// One read, in an instance of its own; none where there is no resource of that URI.
    ///
    /// # Errors
    /// What went wrong, in words for the caller.
    fn read(app: &App, request: ReadRequest) -> Result<Option<End<ReadResult>>, Error>;
}

/// What a guest does that has something for a person to begin with.
pub trait Prompts: Guest {
    /// What there is to begin with. Pure, as [`Guest::describe`] is, and asked for at the same time.
    ///
    /// # Errors
    /// As [`Guest::describe`].
    fn prompts(app: &App) -> Result<PromptList, Error>;

    /// The messages of one prompt of the list, in an instance of its own.
    ///
    /// # Errors
    /// What went wrong, in words for the caller.
    fn get(app: &App, request: PromptRequest) -> Result<End<PromptResult>, Error>;
}

/// What a guest does that can finish what a person types.
pub trait Completions: Guest {
    /// How it may go on. Clients ask at every key: answer from what is at hand.
    ///
    /// # Errors
    /// What went wrong, in words for the caller.
    fn complete(app: &App, request: CompleteRequest) -> Result<Completion, Error>;
}

/// Makes a type that implements [`Guest`] the guest of this component. Once per crate, which is a `cdylib` (and an
/// `rlib`, where its tests are to run natively). What it implements besides is named after `with`:
///
/// ```
/// # use airlock_guest::{App, CallRequest, Error, Guest, Manifest, Outcome, PromptList, PromptRequest, PromptResult, Prompts, End};
/// # struct Greeter;
/// # impl Guest for Greeter {
/// #     fn describe(_: &App) -> Result<Manifest, Error> { Ok(Manifest::new()) }
/// #     fn call(_: &App, request: CallRequest) -> Result<Outcome, Error> { Err(Error::UnknownTool(request.tool)) }
/// # }
/// # impl Prompts for Greeter {
/// #     fn prompts(_: &App) -> Result<PromptList, Error> { Ok(PromptList::new()) }
/// #     fn get(_: &App, _: PromptRequest) -> Result<End<PromptResult>, Error> { Ok(PromptResult::user("hi").into()) }
/// # }
/// airlock_guest::export!(Greeter with prompts);
/// # fn main() {}
/// ```
///
/// Natively it only checks the type: a library that exports a component's functions does not link there.
#[macro_export]
macro_rules! export {
    (@also resources $guest:ident) => {
        $crate::export!(@one $guest, Resources, resources_bindings);
    };
    (@also prompts $guest:ident) => {
        $crate::export!(@one $guest, Prompts, prompts_bindings);
    };
    (@also completions $guest:ident) => {
        $crate::export!(@one $guest, Completions, completions_bindings);
    };
    (@one $guest:ty, $trait:ident, $bindings:ident) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            type Exported = $crate::wasm::Exported<$guest>;
            $crate::wasm::$bindings::export!(Exported with_types_in $crate::wasm::$bindings);
        };
        #[cfg(not(target_family = "wasm"))]
        const _: () = {
            const fn is_implemented<G: $crate::$trait>() {}
            is_implemented::<$guest>();
        };
    };
    ($guest:ident with $($also:ident),+ $(,)?) => {
        $crate::export!($guest);
        $($crate::export!(@also $also $guest);)+
    };
    ($guest:ty) => {
        $crate::export!(@one $guest, Guest, bindings);
    };
}
