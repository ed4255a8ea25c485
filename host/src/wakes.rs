//! Futures that wake themselves while they are polled, as those do whose parts hand something to one another.
//!
//! tokio puts the task of such a future at the end of a queue and wakes another thread for it, which as likely as not takes
//! it away from the processor whose caches know it. Here it is polled again at once.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;
use tokio::task::coop::has_budget_remaining;

/// Turns that a future has one after the other before others have theirs.
const TURNS: usize = 8;
const POLLING: u8 = 1 << 7;

/// Which parts of a future are to be polled: up to seven, each a bit.
pub(crate) struct Wakes {
    woken: AtomicU8,
    outer: AtomicWaker,
}

/// Wakes one part.
struct Part {
    wakes: Arc<Wakes>,
    bit: u8,
}

impl Wakes {
    /// All `parts` are to be polled.
    pub(crate) fn new(parts: u8) -> Arc<Self> {
        Arc::new(Self {
            woken: AtomicU8::new(parts),
            outer: AtomicWaker::new(),
        })
    }

    /// Is to be polled with the context of [`Wakes::poll`].
    pub(crate) fn waker(self: &Arc<Self>, bit: u8) -> Waker {
        Waker::from(Arc::new(Part {
            wakes: Arc::clone(self),
            bit,
        }))
    }

    /// Has `poll` poll the parts that were woken, until it is ready or none is woken any more.
    pub(crate) fn poll<T>(
        &self,
        context: &mut Context<'_>,
        mut poll: impl FnMut(u8) -> Poll<T>,
    ) -> Poll<T> {
        self.outer.register(context.waker());
        for _ in 0..TURNS {
            let woken = self.woken.swap(POLLING, Ordering::AcqRel) & !POLLING;
            if woken != 0
                && let Poll::Ready(ended) = poll(woken)
            {
                return Poll::Ready(ended);
            }
            let left = self
                .woken
                .compare_exchange(POLLING, 0, Ordering::AcqRel, Ordering::Relaxed);
            if left.is_ok() {
                return Poll::Pending;
            }
            // tokio answers whoever has used up its budget with a wake: to go on would be to spin.
            if !has_budget_remaining() {
                break;
            }
        }
        self.woken.fetch_and(!POLLING, Ordering::AcqRel);
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Wake for Part {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Whoever polls looks again before it rests.
        let before = self.wakes.woken.fetch_or(self.bit, Ordering::AcqRel);
        if before & POLLING == 0 {
            self.wakes.outer.wake();
        }
    }
}

/// Polls futures again at once when they wake themselves, one future at a time: a place where it is called one after the
/// other needs it once.
pub(crate) struct Repolls {
    wakes: Arc<Wakes>,
    waker: Waker,
}

impl Repolls {
    pub(crate) fn new() -> Self {
        let wakes = Wakes::new(1);
        Self {
            waker: wakes.waker(1),
            wakes,
        }
    }

    pub(crate) async fn run<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        // The last one may have left without being woken.
        self.wakes.woken.store(1, Ordering::Release);
        poll_fn(|context| {
            self.wakes.poll(context, |_| {
                future.as_mut().poll(&mut Context::from_waker(&self.waker))
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[derive(Default)]
    struct Counted(AtomicUsize);

    impl Wake for Counted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Wakes itself so often before it is ready.
    async fn restless(mut times: usize) {
        poll_fn(|context| {
            if times == 0 {
                return Poll::Ready(());
            }
            times -= 1;
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    #[test]
    fn a_future_that_wakes_itself_goes_on_at_once_but_not_for_ever() {
        for (times, polls) in [(0, 1), (TURNS - 1, 1), (TURNS, 2), (3 * TURNS, 4)] {
            let woken = Arc::new(Counted::default());
            let waker = Waker::from(Arc::clone(&woken));
            let mut context = Context::from_waker(&waker);
            let repolls = Repolls::new();
            let mut future = pin!(repolls.run(restless(times)));
            let mut polled = 1;
            while future.as_mut().poll(&mut context).is_pending() {
                // Each time its task was told to come again.
                assert_eq!(woken.0.load(Ordering::Relaxed), polled);
                polled += 1;
            }
            assert_eq!(polled, polls, "{times}");
        }
    }

    #[test]
    fn only_the_part_that_was_woken_is_polled_and_the_task_is_woken_for_it() {
        let woken = Arc::new(Counted::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        let wakes = Wakes::new(0b11);
        let second = wakes.waker(0b10);
        let mut polled = Vec::new();
        let mut poll = |context: &mut Context<'_>| {
            wakes.poll(context, |parts| {
                polled.push(parts);
                Poll::<()>::Pending
            })
        };
        assert!(poll(&mut context).is_pending());
        second.wake_by_ref();
        assert!(poll(&mut context).is_pending());
        assert!(poll(&mut context).is_pending());
        assert_eq!(polled, [0b11, 0b10]);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    }
}
