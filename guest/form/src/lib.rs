//! What a Dify app's input form means: the JSON Schema a caller sees, and whether inputs fit the form.
//!
//! * [`Form::parse`] reads the answer of Dify's `GET /parameters`, odd parts included.
//! * [`Form::schema`] is that form as JSON Schema 2020-12; arguments that fit it are Dify's inputs, but that files are
//!   references, which the host replaces.
//! * [`Form::complete`] adds the defaults that Dify would not apply by itself.
//! * [`Form::of_pause`] reads the form of a run that waits for a person, [`Form::check_answer`] what that person gave.
//! * [`Form::check`] refuses what Dify would refuse late, or accept and misread, as [`Fault`]s a caller can act on.
//!
//! The crate knows JSON and nothing else, so the host and every guest share it.

mod check;
mod fault;
mod field;
mod files;
mod form;
mod inputs;
mod pause;
mod schema;
#[cfg(test)]
mod tests;
mod uploads;

pub use fault::{Fault, Rule};
pub use field::{Field, Kind};
pub use files::{FILE_MARKER, FileKind, Files};
pub use form::Form;
pub use uploads::Uploads;
