//! A few places, and a short fair line of those who wait for one.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// What who finds no place is told to wait: about the time a short run takes.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Places of which each caller holds one. Tokio's semaphores serve in the order of asking, so the line is fair.
#[derive(Debug)]
pub struct Line {
    places: Arc<Semaphore>,
    /// Room to stand and wait.
    standing: Semaphore,
}

/// The right to go on; dropping it lets the next one in.
#[derive(Debug)]
pub struct Place(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

/// No place, and no room to wait for one, or no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full {
    /// When another try is worth it.
    pub retry_after: Duration,
}

impl Line {
    /// So many places, and room for so many to wait.
    pub fn new(places: usize, standing: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(places)),
            standing: Semaphore::new(standing),
        }
    }

    /// A place, at the latest by `until`. Calls `waits` once where it is not there at once.
    ///
    /// # Errors
    /// [`Full`].
    pub async fn enter(&self, until: Instant, waits: impl FnOnce()) -> Result<Place, Full> {
        let full = Full {
            retry_after: RETRY_AFTER,
        };
        let places = Arc::clone(&self.places);
        if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
            return Ok(Place(place));
        }
        let _room = self.standing.try_acquire().map_err(|_| full)?;
        waits();
        let place = timeout_at(until, places.acquire_owned()).await;
        // It is never closed; if it were, there would be no places.
        place.map_err(|_| full)?.map(Place).map_err(|_| full)
    }

    /// A place, however long that takes and however many wait.
    pub(crate) async fn wait(&self) -> Place {
        let place = Arc::clone(&self.places).acquire_owned().await;
        Place(place.expect("the semaphore is never closed"))
    }

    /// Waits until all of its `places` are free. Who comes later waits behind.
    pub(crate) async fn idle(&self, places: usize) {
        let all = u32::try_from(places).unwrap_or(u32::MAX);
        // It is never closed; if it were, nobody would hold a place.
        let _all = self.places.acquire_many(all).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(30)
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_is_told_to_come_back_and_leaves_its_room() {
        let line = Line::new(1, 1);
        let held = line.enter(soon(), || {}).await.expect("free");
        for _ in 0..2 {
            let mut waited = false;
            let refused = line.enter(soon(), || waited = true).await;
            assert_eq!(
                refused.map(drop).expect_err("held").retry_after,
                RETRY_AFTER
            );
            assert!(waited);
        }
        drop(held);
        line.enter(soon(), || panic!("it is free"))
            .await
            .expect("free");
    }

    #[tokio::test(start_paused = true)]
    async fn without_room_to_wait_nobody_waits() {
        let line = Line::new(1, 0);
        let _held = line.enter(soon(), || {}).await.expect("free");
        let before = Instant::now();
        assert!(line.enter(soon(), || panic!("no room")).await.is_err());
        assert_eq!(before.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn places_are_given_in_the_order_of_asking() {
        let line = Arc::new(Line::new(1, 9));
        let held = line.enter(soon(), || {}).await.expect("free");
        let (order, mut came) = tokio::sync::mpsc::unbounded_channel();
        for number in 0..9 {
            let (line, order) = (Arc::clone(&line), order.clone());
            let (waits, waiting) = tokio::sync::oneshot::channel();
            tokio::spawn(async move {
                let place = line
                    .enter(soon(), || waits.send(()).expect("waited for"))
                    .await;
                order.send(number).expect("received");
                drop(place);
            });
            waiting.await.expect("it waits");
        }
        drop((held, order));
        let mut all = Vec::new();
        while let Some(number) = came.recv().await {
            all.push(number);
        }
        assert!(all.into_iter().eq(0..9));
    }
}
