//! What an app does instead of succeeding.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;

use crate::stream;

/// One app's behaviour, from the next request on. Streams that are already running keep the one they began with.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Behaviour {
    /// Runs and succeeds.
    #[default]
    Normal,
    /// Takes `steps × each` longer and then succeeds: that many extra nodes in workflow and chatflow, that many
    /// empty deltas in the chat-like modes, so that the answer stays the same.
    Slow {
        /// How many extra nodes or deltas.
        steps: usize,
        /// How long each takes.
        each: Duration,
    },
    /// Workflow and chatflow: the first working node fails, and the run with it. Chat-like modes: the model says
    /// no after the first words, and the stream ends with an `error` event.
    Fail,
    /// Workflow and chatflow: the first working node takes its fail-branch and the run ends `partial-succeeded`.
    /// The chat-like modes have no such ending and succeed.
    PartialSuccess,
    /// Workflow and chatflow pause for human input, with a form that nobody can answer through this API
    /// (`form_token` null, as where a form is delivered by e-mail only). The chat-like modes succeed.
    Pause,
    /// Workflow and chatflow pause for human input, with a form that can be answered through this API, and go on with the
    /// answer: it stands in a workflow's output `reviews` and in a chatflow's text. The chat-like modes succeed.
    Ask {
        /// How often, one after another, each before a working node.
        times: usize,
        /// How long a form can be answered. Dify's shortest is an hour.
        open_for: Duration,
    },
    /// Streams one bare `error` event without code and task id, and then nothing, without ending.
    EarlyErrorNoEof,
    /// Streams everything but the terminal event, and ends. The run itself succeeds: run detail tells.
    EofWithoutTerminal,
    /// Streams the head, and in flow modes the leading ping, and then nothing, without ending.
    SilentAfterPing,
    /// Every request of the app is answered 401, as when its key was deleted.
    RefuseKey,
    /// Every request of the app is answered 403, as when its API access is switched off.
    ApiDisabled,
    /// `/parameters` and runs are answered 400, as for an app that was never published; `/info` works.
    NotPublished,
    /// Runs are answered 400 `invalid_param` "Too many requests…", which is how Dify 1.14.2 says busy.
    Busy,
    /// Every request of the app is answered with a proxy's 502 page in HTML.
    BadGateway,
    /// Runs are answered with these bytes, whatever was asked: a recorded stream, or a broken one.
    Canned(Canned),
}

/// A response made by a test.
#[derive(Clone, Debug, PartialEq)]
pub struct Canned {
    /// Its status.
    pub status: StatusCode,
    /// Its `Content-Type`.
    pub content_type: &'static str,
    /// Its body, one HTTP chunk each.
    pub chunks: Vec<Bytes>,
    /// Whether the body ends after the last chunk; otherwise it stays open and silent.
    pub ends: bool,
}

impl Canned {
    /// A stream of events, `200 text/event-stream`, that ends after the last chunk.
    pub fn events(chunks: impl IntoIterator<Item = impl Into<Bytes>>) -> Self {
        Self {
            status: StatusCode::OK,
            content_type: stream::CONTENT_TYPE,
            chunks: chunks.into_iter().map(Into::into).collect(),
            ends: true,
        }
    }
}
