//! What stands behind a guest's imports: the caller of this crate implements it, once for each call.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::error::Bound;
use crate::wit::{Answer, Caller, Change, Error, Event, Level, Reply, Request};

/// A future that can be moved to the guests' threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One call's way out of the sandbox.
///
/// It is used from the guests' own threads: an implementation does its I/O elsewhere and hands the results over.
/// Dropping the backend, and every [`Run`] it gave out, is the sign that the call is over.
pub trait Backend: Send + Sync + 'static {
    /// Runs the app of this call to its end. Dropping the future stops the run in Dify.
    ///
    /// # Errors
    /// In the contract's own words, for the guest to handle.
    fn run(&self, request: Request) -> BoxFuture<'_, Result<Answer, Error>>;

    /// Starts the app of this call, to be followed event by event.
    ///
    /// # Errors
    /// In the contract's own words, for the guest to handle.
    fn start(&self, request: Request) -> BoxFuture<'_, Result<Box<dyn Run>, Error>>;

    /// Answers for a person, and goes on with the run that waited.
    ///
    /// # Errors
    /// In the contract's own words, for the guest to handle.
    fn resume(&self, reply: Reply) -> BoxFuture<'_, Result<Box<dyn Run>, Error>>;

    /// Who called.
    fn who(&self) -> Caller;

    /// The guest reports progress in its own units.
    fn progress(&self, done: f64, total: Option<f64>, message: Option<String>);

    /// A line for the operator; `data` is JSON text that nobody has checked.
    fn log(&self, level: Level, data: &str);

    /// A log message for the client; `data` is JSON text that nobody has checked.
    fn tell(&self, level: Level, data: String);

    /// The guest went over a bound, and the call goes on without what was over it. A bound of the log or of progress is
    /// told once in a call, the others each time.
    fn cut(&self, bound: Bound);

    /// Something that clients keep a copy of has changed.
    fn changed(&self, what: Change);

    /// Is the call over, whatever the reason?
    fn cancelled(&self) -> bool;

    /// How long this call may still take.
    fn remaining(&self) -> Duration;
}

/// A run of the app in progress. Dropping it before it is done stops the run in Dify.
pub trait Run: Send + 'static {
    /// The next event; `None` once it is over.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Event>, Error>>;

    /// The end, with no event on the way.
    fn finish(&mut self) -> BoxFuture<'_, Result<Answer, Error>>;

    /// Stops the run in Dify; its events then tell how it ended.
    fn stop(&mut self) -> BoxFuture<'_, ()>;
}

/// What the resource table holds for a guest's `run` handle.
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it inside this crate"
)]
pub struct RunHandle(pub(crate) Box<dyn Run>);
