//! How fast and how roomy the stand-in is.

use std::time::Duration;

use crate::apps::SampleApp;

/// Pace and limits. [`Options::default`] is what Dify's compose file gives, at a pace a person can watch;
/// [`Options::instant`] never sleeps.
#[derive(Clone, Debug)]
pub struct Options {
    /// Connections served at once, idle ones included; more of them wait unaccepted, as behind gunicorn. Dify's
    /// default is 10 (`SERVER_WORKER_CONNECTIONS`).
    pub connections: usize,
    /// Time between a flow's terminal event and the end of its stream. A real Dify takes 1.00 to 1.04 s, because
    /// closing waits for a listener that polls every second. Chat-like modes and failed chatflows end at once.
    pub eof_lag: Duration,
    /// Time that each working node takes; a piece of text (a word) takes an eighth of it, so that a sentence lasts
    /// about as long as a node. Zero means that no timer is touched at all.
    pub step: Duration,
    /// Time between the keep-alive pings of workflows and chatflows. Dify's is 10 s. Chat-like modes send none.
    pub ping_every: Duration,
    /// Is there `/workflow/{id}/events`, on which a run is followed? Dify has it since 1.14.
    pub events: bool,
    /// How long a signed address of a file is good. Dify's is 300 s.
    pub file_ttl: Duration,
    /// The apps to serve, each once.
    pub apps: Vec<SampleApp>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connections: 10,
            eof_lag: Duration::from_secs(1),
            step: Duration::from_millis(400),
            ping_every: Duration::from_secs(10),
            events: true,
            file_ttl: Duration::from_secs(300),
            apps: SampleApp::ALL.to_vec(),
        }
    }
}

impl Options {
    /// All apps, answering without any delay, for benchmarks and for tests that are not about time.
    pub fn instant() -> Self {
        Self {
            eof_lag: Duration::ZERO,
            step: Duration::ZERO,
            ..Self::default()
        }
    }
}
