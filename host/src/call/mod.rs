//! One request: what MCP asks of a server ([`service`], then `asked`), what a guest asks of Dify ([`backend`], [`run`]), and
//! what becomes of the guest's answer ([`outcome`] for tools, `offered` for the rest). `errands` has the call do its guest's
//! I/O. Beside it, [`changes`] tells clients what they must fetch again, `pauses` has what a run waits for and `learnt` what such a run teaches, `tasks` keeps
//! calls that outlive their request, and `journal` what they have started; [`replicas`] connects servers that share a
//! registry. `promise` holds results to the operator's output schema, [`sessions`] knows which conversations sessions go on
//! with, and `partial` shows an answer while it grows.

mod asked;
pub mod backend;
pub mod changes;
mod errands;
pub mod identity;
pub mod journal;
mod learnt;
mod offered;
pub mod outcome;
mod partial;
mod pauses;
mod promise;
pub mod replicas;
pub mod run;
pub mod service;
pub mod services;
pub mod sessions;
mod tasks;
pub mod translate;

pub use changes::AppChanges;
pub use replicas::RegistryChannel;
pub use service::{Service, Shared};
pub use services::Services;
