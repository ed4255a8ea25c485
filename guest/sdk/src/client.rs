//! The MCP client that made this call.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::host;

/// Who calls.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Caller {
    /// What the client calls itself; empty where it did not say. Not an identity.
    pub name: String,
    /// The client's version, in its own words.
    pub version: String,
    /// The same caller at the same app has the same value, and no value can be traced back to anybody.
    pub principal: String,
    /// What it declared that it can do, as MCP's `ClientCapabilities`: a guest asks for nothing else.
    pub capabilities: Map<String, Value>,
    /// What later hosts say besides.
    pub extra: Map<String, Value>,
}

/// The levels of RFC 5424, as MCP's logging has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "RFC 5424 says what each word means")]
pub enum Level {
    Debug,
    Info,
    Notice,
    Warning,
    Error,
    Critical,
    Alert,
    Emergency,
}

/// Who calls.
#[must_use]
pub fn who() -> Caller {
    host::who()
}

/// Progress, in the guest's own units. From the first of these on, messages are the guest's; until then the host makes
/// them of Dify's events. The host keeps the number rising, thins what comes too fast, and drops it where nobody asked.
pub fn progress(done: f64, total: Option<f64>, message: Option<&str>) {
    host::progress(done, total, message);
}

/// A line for the operator's log.
pub fn log(level: Level, data: impl Into<Value>) {
    host::log(level, data.into());
}

/// A log message for the client, which gets it where it asked for this level.
pub fn tell(level: Level, data: impl Into<Value>) {
    host::tell(level, data.into());
}

/// What clients keep a copy of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The list of tools.
    Tools,
    /// The list of prompts.
    Prompts,
    /// The list of resources, or of their templates.
    Resources,
    /// The contents of the resource of this URI.
    Contents(String),
}

/// Something that clients keep a copy of is not what it was: the host tells those that listen.
pub fn changed(what: &Change) {
    host::changed(what);
}

/// Has the client cancelled, or is the call over for another reason? A call that goes on regardless is cut off.
#[must_use]
pub fn cancelled() -> bool {
    host::cancelled()
}

/// Suspends the call. The deadline goes on. A wait past 49 days, the most the contract can say, is one of 49 days.
pub fn wait(time: Duration) {
    host::wait(u32::try_from(time.as_millis()).unwrap_or(u32::MAX));
}

/// How long until the host ends this call.
#[must_use]
pub fn remaining() -> Duration {
    Duration::from_millis(host::remaining_ms().into())
}
