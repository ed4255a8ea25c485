//! Where a guest computes.
//!
//! Most guests compute for some tens of microseconds and then wait for Dify: moving such a call to another thread and back
//! may cost more than the guest does. So a call begins on the thread of its request. One that computes for longer would
//! delay the I/O of others there, and goes on, after its next pause, on the guests' own threads, where the operating system shares
//! the processor out. A component whose calls do so again and again, or did so for [`LONG`] in one call, is known for it,
//! and its calls begin on those threads.
//!
//! Nothing takes a guest that makes no pause off its thread before the epoch moves, and an epoch that moves earlier than
//! [`UNNOTICED`] is let pass. So what a component can take from each of the threads that serve requests is 3 ms, in each of
//! a few calls of a thousand.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How long a call may compute on the thread of its request: well below what a person or a timer feels, and ten times what
/// the guest that is built in needs.
pub(crate) const UNNOTICED: Duration = Duration::from_millis(1);

/// How long a call may compute, pauses apart, before its component is known for it at once.
pub(crate) const LONG: Duration = Duration::from_millis(10);

/// What a slow call adds, and as many quick ones take away again.
const SLOW: u32 = 1_000;
/// From here on a component counts as slow. Not after one slow call: the first one in a new place of the pool is.
const IS_SLOW: u32 = 3 * SLOW;
const MOST: u32 = 4 * SLOW;

/// What is known of one component's calls.
#[derive(Default)]
pub(crate) struct Pace(AtomicU32);

impl Pace {
    pub(crate) fn is_slow(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= IS_SLOW
    }

    /// A call has computed for longer than [`UNNOTICED`].
    pub(crate) fn slow(&self) {
        self.change(|pace| (pace + SLOW).min(MOST));
    }

    /// A call has computed for longer than [`LONG`].
    pub(crate) fn very_slow(&self) {
        self.0.store(MOST, Ordering::Relaxed);
    }

    /// A call has ended that was not slow.
    pub(crate) fn quick(&self) {
        // The usual case writes nothing that other threads would have to read again.
        if self.0.load(Ordering::Relaxed) > 0 {
            self.change(|pace| pace.saturating_sub(1));
        }
    }

    fn change(&self, change: impl Fn(u32) -> u32) {
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |pace| {
                Some(change(pace))
            });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_calls_count_for_as_long_as_a_thousand_quick_ones() {
        let pace = Pace::default();
        pace.slow();
        pace.slow();
        assert!(!pace.is_slow());
        pace.slow();
        assert!(pace.is_slow());
        pace.quick();
        assert!(!pace.is_slow());
        pace.very_slow();
        for _ in 0..SLOW {
            assert!(pace.is_slow());
            pace.quick();
        }
        pace.quick();
        assert!(!pace.is_slow());
    }
}
