#![expect(clippy::unwrap_used, reason = "a test may fail by panic")]
//! The stand-in against the recorded exchanges: same events in the same order with the same keys, same bodies.

mod client;
mod faults;
mod following;
mod refusals;
mod review;
mod shapes;

use std::time::Duration;

/// Long enough for a loaded machine; no test waits it out when it passes.
const SOON: Duration = Duration::from_secs(20);
