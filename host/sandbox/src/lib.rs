//! wasmtime and the contract in `wit/`: runs a guest's functions, each in a fresh instance, within bounds.
//!
//! Knows neither HTTP nor SQL, neither MCP nor Dify: what a guest asks for goes to a [`Backend`] that the caller gives.
//!
//! * [`Engine`]: one per process; the compiler's settings, the instance pool, the ticker, and the threads of guests that
//!   compute for long.
//! * [`Compiled`]: a guest's machine code, which can be made in another process and kept.
//! * [`Component`]: a guest that was inspected, compiled and linked; it runs [`Component::describe`] and
//!   [`Component::call`], and where the guest exports them, those of its resources, prompts and completions.
//! * [`Limits`]: what one call may use, and [`Failure`]: how a call can end that is no answer of the guest's.
//! * [`Backend`] and [`Run`]: what stands behind the imports.
//! * [`wit`]: the contract's types.

mod backend;
mod bindings;
mod call;
mod clock;
mod compiled;
mod component;
mod engine;
mod error;
mod inspect;
mod limits;
#[cfg(feature = "measure")]
#[doc(hidden)]
pub mod measure;
mod pace;
mod placed;
mod state;
mod ticker;
mod wasi;

pub use backend::{Backend, BoxFuture, Run};
pub use bindings::wit;
pub use call::Ended;
pub use compiled::{Compiled, compatibility};
pub use component::Component;
pub use engine::{Engine, EngineConfig, EngineError};
pub use error::{Bound, Failure, Refusal};
pub use inspect::{Inspection, as_component, inspect};
pub use limits::Limits;
