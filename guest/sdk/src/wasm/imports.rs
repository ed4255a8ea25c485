//! What the host does for a guest.

use serde_json::{Map, Value};

use super::bindings::airlock::guest::{client, dify};
use super::convert;
use crate::Error;
use crate::client::{Caller, Change, Level};
use crate::dify::{Answer, Event, Reply, Request};

pub(crate) fn run_app(request: &Request) -> Result<Answer, Error> {
    dify::run_app(&convert::run(request))
        .map_err(convert::error_in)
        .and_then(convert::answer)
}

pub(crate) fn start(request: &Request) -> Result<Run, Error> {
    dify::start(&convert::run(request))
        .map(Run)
        .map_err(convert::error_in)
}

pub(crate) fn resume(reply: &Reply) -> Result<Run, Error> {
    dify::resume(&convert::reply(reply))
        .map(Run)
        .map_err(convert::error_in)
}

#[derive(Debug)]
pub(crate) struct Run(dify::Run);

impl Run {
    pub(crate) fn next(&self) -> Result<Option<Event>, Error> {
        self.0
            .next()
            .map_err(convert::error_in)?
            .map(convert::event)
            .transpose()
    }

    pub(crate) fn finish(self) -> Result<Answer, Error> {
        self.0
            .finish()
            .map_err(convert::error_in)
            .and_then(convert::answer)
    }

    pub(crate) fn stop(&self) {
        self.0.stop();
    }
}

pub(crate) fn who() -> Caller {
    let caller = client::who();
    // A host that says something else there, or nothing, has said nothing.
    let mut extra: Map<String, Value> = serde_json::from_str(&caller.extra).unwrap_or_default();
    let capabilities = match extra.remove("capabilities") {
        Some(Value::Object(capabilities)) => capabilities,
        _ => Map::new(),
    };
    Caller {
        name: caller.name,
        version: caller.version,
        principal: caller.principal,
        capabilities,
        extra,
    }
}

pub(crate) fn progress(done: f64, total: Option<f64>, message: Option<&str>) {
    client::progress(done, total, message);
}

pub(crate) fn log(at: Level, data: Value) {
    client::log(level(at), &data.to_string());
}

pub(crate) fn tell(at: Level, data: Value) {
    client::tell(level(at), &data.to_string());
}

fn level(level: Level) -> client::Level {
    match level {
        Level::Debug => client::Level::Debug,
        Level::Info => client::Level::Info,
        Level::Notice => client::Level::Notice,
        Level::Warning => client::Level::Warning,
        Level::Error => client::Level::Error,
        Level::Critical => client::Level::Critical,
        Level::Alert => client::Level::Alert,
        Level::Emergency => client::Level::Emergency,
    }
}

pub(crate) fn changed(what: &Change) {
    client::changed(&match what {
        Change::Tools => client::Change::Tools,
        Change::Prompts => client::Change::Prompts,
        Change::Resources => client::Change::Resources,
        Change::Contents(uri) => client::Change::Contents(uri.clone()),
    });
}

pub(crate) fn cancelled() -> bool {
    client::cancelled()
}

pub(crate) fn wait(ms: u32) {
    client::wait(ms);
}

pub(crate) fn remaining_ms() -> u32 {
    client::remaining_ms()
}
