//! What the stand-in has been asked, for tests to assert and to wait for.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use http::Method;
use serde_json::Value;
use tokio::sync::watch;

use crate::apps::SampleApp;

/// The newest requests and stops that are kept; a demo or a benchmark that runs for days stays small.
const KEPT: usize = 1_000;

/// Everything seen so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The newest 1,000 requests, refused ones included, oldest first.
    pub requests: VecDeque<Request>,
    /// All requests ever.
    pub request_count: u64,
    /// The newest 1,000 stop requests that were answered with success, oldest first.
    pub stops: VecDeque<Stop>,
    /// Connections that are being served now, idle ones included.
    pub open: usize,
    /// The most connections that were served at once.
    pub most_open: usize,
    /// Event streams whose body is open now, silent ones included.
    pub streams: usize,
    /// Runs that go on now, whether anybody reads them or not.
    pub runs: usize,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The app whose key it carried, if any.
    pub app: Option<SampleApp>,
    /// Its method.
    pub method: Method,
    /// Its path and query, with `/v1`.
    pub path: String,
    /// `user` of the body, where that is a string.
    pub user: Option<String>,
    /// Its body; null where it is empty or not JSON.
    pub body: Arc<Value>,
}

/// One stop request.
#[derive(Clone, Debug)]
pub struct Stop {
    /// The app whose key it carried.
    pub app: SampleApp,
    /// Its path, which tells the kind of stop.
    pub path: String,
    /// The task to stop.
    pub task_id: String,
    /// Who asked.
    pub user: String,
    /// Whether a run was going on under that id and was stopped by this request.
    pub effective: bool,
}

impl Seen {
    /// How many kept requests went to this path (with `/v1`, without query).
    pub fn calls(&self, path: &str) -> usize {
        let is_here = |request: &&Request| request.path.split('?').next() == Some(path);
        self.requests.iter().filter(is_here).count()
    }
}

/// The writing side of [`Seen`].
pub(crate) struct Recorder(watch::Sender<Seen>);

impl Recorder {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(Seen::default()))
    }

    pub(crate) fn now(&self) -> Seen {
        self.0.borrow().clone()
    }

    /// Waits for the condition, or fails with what was seen instead.
    pub(crate) async fn wait_until(
        &self,
        condition: impl FnMut(&Seen) -> bool,
        timeout: Duration,
    ) -> anyhow::Result<Seen> {
        let mut seen = self.0.subscribe();
        let wait = async { seen.wait_for(condition).await.map(|seen| seen.clone()) };
        match tokio::time::timeout(timeout, wait).await {
            Ok(found) => found.context("the stand-in is gone"),
            Err(_) => anyhow::bail!(
                "not seen within {timeout:?}; seen instead: {:?}",
                self.now()
            ),
        }
    }

    pub(crate) fn request(&self, request: Request) {
        self.0.send_modify(|seen| {
            seen.request_count += 1;
            keep(&mut seen.requests, request);
        });
    }

    pub(crate) fn stop(&self, stop: Stop) {
        self.0.send_modify(|seen| keep(&mut seen.stops, stop));
    }

    /// Counts a connection for as long as the guard lives.
    pub(crate) fn connection(self: &Arc<Self>) -> Counted {
        self.0.send_modify(|seen| {
            seen.open += 1;
            seen.most_open = seen.most_open.max(seen.open);
        });
        Counted(Arc::clone(self), |seen| seen.open -= 1)
    }

    /// Counts a run for as long as the guard lives.
    pub(crate) fn run(self: &Arc<Self>) -> Counted {
        self.0.send_modify(|seen| seen.runs += 1);
        Counted(Arc::clone(self), |seen| seen.runs -= 1)
    }

    /// Counts a stream for as long as the guard lives.
    pub(crate) fn stream(self: &Arc<Self>) -> Counted {
        self.0.send_modify(|seen| seen.streams += 1);
        Counted(Arc::clone(self), |seen| seen.streams -= 1)
    }
}

/// Takes its count back when it is dropped.
pub(crate) struct Counted(Arc<Recorder>, fn(&mut Seen));

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.send_modify(self.1);
    }
}

fn keep<T>(list: &mut VecDeque<T>, item: T) {
    if list.len() == KEPT {
        list.pop_front();
    }
    list.push_back(item);
}
