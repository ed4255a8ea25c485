//! How many requests Dify gets at once: places overall and for each app, each with a short fair line.

use std::time::Duration;

use tokio::time::Instant;

use crate::line::{Full, Line, Place};
use crate::{Config, Error};

#[derive(Debug)]
pub(crate) struct Bulkhead {
    all: Line,
    places: usize,
    patience: Duration,
}

/// The right to hold one connection to Dify. The place overall goes back first.
#[derive(Debug)]
pub(crate) struct Slot {
    _all: Place,
    _app: Option<Place>,
}

impl Bulkhead {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            all: Line::new(config.in_flight, config.queue),
            places: config.in_flight,
            patience: config.queue_wait,
        }
    }

    /// A slot for a run of the app whose places are `app`, or for a read when there are none. Calls `waits` where the slot
    /// is not there at once.
    ///
    /// The app's own place comes first: an app that waits for itself must not keep a place from the others. So of each
    /// app only as many as may run stand in the line overall, and a crowd before one app is no crowd before another.
    pub(crate) async fn enter(
        &self,
        app: Option<&Line>,
        waits: &(dyn Fn() + Sync),
    ) -> Result<Slot, Error> {
        let full = |Full { retry_after }| Error::QueueFull { retry_after };
        let until = Instant::now() + self.patience;
        let app = match app {
            Some(app) => Some(app.enter(until, waits).await.map_err(full)?),
            None => None,
        };
        let all = self.all.enter(until, waits).await.map_err(full)?;
        Ok(Slot {
            _all: all,
            _app: app,
        })
    }

    /// Waits until no slot is held: every run has ended, and every stop was answered. Who comes later waits behind.
    pub(crate) async fn idle(&self) {
        self.all.idle(self.places).await;
    }

    /// Waits in the same order, however long it takes and however many wait.
    pub(crate) async fn wait(&self, app: Option<&Line>) -> Slot {
        let app = match app {
            Some(app) => Some(app.wait().await),
            None => None,
        };
        Slot {
            _all: self.all.wait().await,
            _app: app,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_app_that_waits_for_itself_leaves_the_rest_to_others() {
        let base = crate::parse_base("http://dify").expect("a good base");
        let bulkhead = Arc::new(Bulkhead::new(&Config {
            in_flight: 2,
            queue: 0,
            ..Config::new(base)
        }));
        let app = Arc::new(Line::new(1, 8));
        let held = bulkhead.enter(Some(&app), &|| {}).await.expect("free");
        let waiting = Arc::new(tokio::sync::Notify::new());
        let second = tokio::spawn({
            let (bulkhead, app, waiting) = (bulkhead.clone(), app.clone(), waiting.clone());
            async move {
                bulkhead
                    .enter(Some(&app), &|| waiting.notify_one())
                    .await
                    .is_ok()
            }
        });
        waiting.notified().await;
        bulkhead
            .enter(None, &|| {})
            .await
            .expect("the second place overall is nobody's");
        drop(held);
        assert!(second.await.expect("no panic"));
    }
}
