//! How many requests Dify gets at once: a global bound, one per app, and a short fair queue before both.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::{Config, Error};

/// What a caller refused by the queue is told to wait: about the time a short run takes.
const RETRY_AFTER: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Bulkhead {
    all: Arc<Semaphore>,
    waiting: AtomicUsize,
    queue: usize,
    queue_wait: Duration,
}

/// The right to hold one connection to Dify; dropping it gives the right to the next in the queue.
#[derive(Debug)]
pub(crate) struct Slot {
    _all: OwnedSemaphorePermit,
    _app: Option<OwnedSemaphorePermit>,
}

/// A place in the queue, given back when the waiting ends in whatever way.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Bulkhead {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            all: Arc::new(Semaphore::new(config.in_flight)),
            waiting: AtomicUsize::new(0),
            queue: config.queue,
            queue_wait: config.queue_wait,
        }
    }

    /// A slot for a run of the app whose share is `app`, or for a read when there is none.
    ///
    /// Tokio's semaphores serve in the order of asking, so the queue is fair. The app's own share comes first: an app
    /// that waits for itself must not keep a global slot from the others.
    pub(crate) async fn enter(&self, app: Option<&Arc<Semaphore>>) -> Result<Slot, Error> {
        if let Some(slot) = self.try_enter(app) {
            return Ok(slot);
        }
        let refused = || Error::QueueFull {
            retry_after: RETRY_AFTER,
        };
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.queue {
            drop(Place(&self.waiting));
            return Err(refused());
        }
        let _place = Place(&self.waiting);
        timeout(self.queue_wait, self.wait(app))
            .await
            .map_err(|_| refused())
    }

    /// Waits until no slot is held: every run has ended, and every stop was answered. Who comes later waits behind.
    pub(crate) async fn idle(&self, in_flight: usize) {
        let all = u32::try_from(in_flight).unwrap_or(u32::MAX);
        // It is never closed; if it were, nobody would hold a slot.
        let _all = self.all.acquire_many(all).await;
    }

    fn try_enter(&self, app: Option<&Arc<Semaphore>>) -> Option<Slot> {
        let app = app
            .map(|app| app.clone().try_acquire_owned())
            .transpose()
            .ok()?;
        let all = self.all.clone().try_acquire_owned().ok()?;
        Some(Slot {
            _all: all,
            _app: app,
        })
    }

    /// Waits in the same order, however long it takes and however many wait.
    pub(crate) async fn wait(&self, app: Option<&Arc<Semaphore>>) -> Slot {
        const OPEN: &str = "the bulkhead's semaphores are never closed";
        let app = match app {
            Some(app) => Some(app.clone().acquire_owned().await.expect(OPEN)),
            None => None,
        };
        Slot {
            _all: self.all.clone().acquire_owned().await.expect(OPEN),
            _app: app,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulkhead(in_flight: usize, queue: usize) -> Bulkhead {
        let base = crate::parse_base("http://dify").expect("a good base");
        Bulkhead::new(&Config {
            in_flight,
            queue,
            ..Config::new(base)
        })
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_is_told_to_come_back() {
        let bulkhead = bulkhead(1, 8);
        let _held = bulkhead.enter(None).await.expect("free");
        let refused = bulkhead.enter(None).await.expect_err("held for ever");
        assert!(matches!(refused, Error::QueueFull { .. }) && refused.retryable());
        assert_eq!(
            bulkhead.waiting.load(Ordering::Relaxed),
            0,
            "its place is free again"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_refuses_at_once() {
        let bulkhead = bulkhead(1, 0);
        let _held = bulkhead.enter(None).await.expect("free");
        let before = tokio::time::Instant::now();
        assert!(bulkhead.enter(None).await.is_err());
        assert_eq!(before.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn an_app_that_waits_for_itself_leaves_the_rest_to_others() {
        let bulkhead = Arc::new(bulkhead(2, 8));
        let app = Arc::new(Semaphore::new(1));
        let held = bulkhead.enter(Some(&app)).await.expect("free");
        let second = tokio::spawn({
            let (bulkhead, app) = (bulkhead.clone(), app.clone());
            async move { bulkhead.enter(Some(&app)).await.is_ok() }
        });
        while bulkhead.waiting.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        bulkhead
            .enter(None)
            .await
            .expect("the second global slot is nobody's");
        drop(held);
        assert!(second.await.expect("no panic"));
    }
}
