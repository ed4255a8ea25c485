//! How long a guest has computed: the time its future is being polled. Waiting for Dify costs nothing.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// The guest's computing time, in nanoseconds since `base`. Only the thread that polls the call writes to it, and the
/// epoch callback that reads it runs inside that same poll: the atomics are for moving between threads, not for races.
pub(crate) struct CpuClock {
    base: Instant,
    used: AtomicU64,
    poll_began: AtomicU64,
}

impl CpuClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            base: Instant::now(),
            used: AtomicU64::new(0),
            poll_began: AtomicU64::new(0),
        })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.base.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// The time used, the present poll included.
    pub(crate) fn used(&self) -> Duration {
        let present = self
            .now()
            .saturating_sub(self.poll_began.load(Ordering::Relaxed));
        Duration::from_nanos(self.used.load(Ordering::Relaxed).saturating_add(present))
    }
}

/// A future whose polls are timed.
pub(crate) struct Timed<F> {
    pub(crate) future: Pin<Box<F>>,
    pub(crate) clock: Arc<CpuClock>,
}

impl<F: Future> Future for Timed<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let began = self.clock.now();
        self.clock.poll_began.store(began, Ordering::Relaxed);
        let poll = self.future.as_mut().poll(cx);
        let spent = self.clock.now().saturating_sub(began);
        self.clock.used.fetch_add(spent, Ordering::Relaxed);
        poll
    }
}
