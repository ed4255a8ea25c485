//! What an operator can do. Each operation is one function, whoever asks for it: the CLI, the REST API, the pages.
//!
//! * [`Operation`] and [`Reply`]: the question and the answer, as they cross `admin.sock`.
//! * [`Operations`]: does them, on the registry, Dify and the guests.
//! * [`check`]: what a component would change, said beforehand.
//! * [`drift`]: what changes in Dify, looked for in the background.
//! * [`OpError`]: why one was not done.

pub mod check;
pub mod describe;
pub mod drift;
pub mod error;
pub mod learn;
pub mod operations;
pub mod view;
pub mod wire;

pub use check::GuestCheck;
pub use error::OpError;
pub use operations::Operations;
pub(crate) use operations::describe_again;
pub use view::{AppView, InputView, ToolView};
pub use wire::{Change, InputWords, Learnt, Operation, Reply, Words};
