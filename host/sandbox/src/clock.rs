//! How long a guest has computed: the processor time of the thread that polls it, while it polls it. Waiting for Dify
//! costs nothing, and neither does waiting for a processor that others use.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::pace::{Pace, UNNOTICED};
use crate::ticker::Ticker;

/// The guest's computing time, in nanoseconds. Only the thread that polls the call writes to it, and the epoch callback
/// that reads it runs inside that same poll: the atomics are for moving between threads, not for races.
#[derive(Default)]
pub(crate) struct CpuClock {
    used: AtomicU64,
    /// The thread's own time when the present poll began.
    poll_began: AtomicU64,
}

impl CpuClock {
    /// The time used before the present poll.
    pub(crate) fn used_before(&self) -> Duration {
        Duration::from_nanos(self.used.load(Ordering::Relaxed))
    }

    /// Had the call computed for longer than [`UNNOTICED`] when it was last polled?
    pub(crate) fn is_slow(&self) -> bool {
        self.used_before() > UNNOTICED
    }

    /// What the present poll has taken so far. Asks the kernel.
    pub(crate) fn stretch(&self) -> Duration {
        let began = self.poll_began.load(Ordering::Relaxed);
        Duration::from_nanos(thread_time().saturating_sub(began))
    }
}

/// Processor time of this thread, in nanoseconds.
fn thread_time() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or_default();
    seconds * 1_000_000_000 + nanoseconds
}

/// A guest's future: its polls are timed, the epoch moves during them, and a call that computes for long is noted.
pub(crate) struct Timed<F> {
    pub(crate) future: Pin<Box<F>>,
    pub(crate) clock: Arc<CpuClock>,
    pub(crate) pace: Arc<Pace>,
    pub(crate) ticker: Arc<Ticker>,
}

impl<F: Future> Future for Timed<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Self {
            future,
            clock,
            pace,
            ticker,
        } = &mut *self;
        let computing = ticker.computing();
        clock.poll_began.store(thread_time(), Ordering::Relaxed);
        let poll = future.as_mut().poll(cx);
        let (before, used) = (clock.is_slow(), clock.used_before() + clock.stretch());
        drop(computing);
        let nanoseconds = u64::try_from(used.as_nanos()).unwrap_or(u64::MAX);
        clock.used.store(nanoseconds, Ordering::Relaxed);
        match (before, clock.is_slow()) {
            (false, true) => pace.slow(),
            (false, false) if poll.is_ready() => pace.quick(),
            (true, _) | (false, false) => {}
        }
        poll
    }
}
