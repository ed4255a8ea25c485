//! A client of Dify's Service API (`/v1`) for one or many apps: what an app is, and running it.
//!
//! It knows neither MCP nor WebAssembly. Behind the door:
//!
//! * [`Dify`] and [`App`]: the pool and the bulkhead that all apps share, and one app behind its key.
//! * [`Facts`]: what `GET /info` and `GET /parameters` say of an app.
//! * [`RunRequest`] and [`Run`]: one run, always streamed, folded into [`Event`]s that end with one [`Answer`].
//! * [`Line`]: a few places and those who wait for one, which whoever shares something small may use.
//! * [`Known`]: the names of a run, by which another process can follow it or stop it.
//! * [`Upload`] and [`Download`]: files that go in before a run, and those that a run made.
//! * [`HumanForm`]: what a paused run asks a person, and the answer that takes it up again.
//! * [`Error`]: everything that can go wrong, with words for the caller apart from words for the log.
//! * [`Config`]: every bound, with its default and its reason.

mod answer;
mod bulkhead;
mod circuit;
mod client;
mod config;
mod download;
mod error;
mod event;
mod facts;
mod fold;
mod follow;
mod history;
mod human_input;
mod joined;
mod key;
mod known;
mod line;
mod live;
#[cfg(feature = "measure")]
#[doc(hidden)]
pub mod measure;
mod mode;
mod outputs;
mod pieces;
mod refusal;
mod request;
mod rounds;
mod run;
mod sentence;
mod sse;
mod step;
mod stream;
mod text;
mod transport;
mod upload;
mod walk;
mod wire;
mod words;

pub use answer::{Answer, Status};
pub use client::{App, Dify};
pub use config::{BaseError, Config, parse_base};
pub use download::{Download, NoDownload, file_path};
pub use error::{Bound, Error, Forbidden, Ids, ProviderFault, Wait};
pub use event::{Event, Node, Round, RoundKind};
pub use facts::Facts;
pub use human_input::{FormAction, FormReply, FormToken, HumanForm};
pub use key::{AppKey, KeyError};
pub use known::{Known, Pause};
pub use line::{Full, Line, Place};
pub use mode::Mode;
pub use request::RunRequest;
pub use run::Run;
pub use upload::Upload;
