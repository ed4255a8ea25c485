//! What changes in Dify after an app was described: looked for in the background, one app at a time.
//!
//! A changed form is described again, with the operator's words kept, and clients that listen are told by whoever watches
//! the registry. What keeps an app from being used is noted for the operator; callers read it from the call that fails.
//! A Dify that does not answer changes nothing.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use airlock_dify::AppKey;
use airlock_registry::{AppId, AppRecord};
use tokio_util::sync::CancellationToken;

use super::error::OpError;
use super::operations::Operations;
use super::view::AppView;
use crate::facts::Facts;

/// By how much the time between two looks differs, so that several servers do not look in step.
const JITTER: f64 = 0.2;

/// What keeps apps from being used as they stand, in words for the operator. A restart forgets it, and looks again.
#[derive(Default)]
pub struct Troubles(Mutex<HashMap<AppId, String>>);

impl Troubles {
    /// What is the matter with an app, if anything.
    #[must_use]
    pub fn of(&self, app: &AppId) -> Option<String> {
        self.lock().get(app).cloned()
    }

    /// Notes it, or that there is nothing any more. Was it another before?
    pub fn note(&self, app: &AppId, trouble: Option<String>) -> bool {
        let mut troubles = self.lock();
        match trouble {
            Some(words) => troubles.insert(app.clone(), words.clone()) != Some(words),
            None => troubles.remove(app).is_some(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AppId, String>> {
        // A map of words is whole whatever happened while it was held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Operations {
    /// Looks at every enabled app again and again, until the server stops.
    pub async fn watch_dify(self: Arc<Self>, every: Duration, stop: CancellationToken) {
        let look = async {
            loop {
                tokio::time::sleep(jittered(every)).await;
                self.look_at_all().await;
            }
        };
        stop.run_until_cancelled(look).await;
    }

    async fn look_at_all(&self) {
        let snapshot = self.registry.snapshot();
        let gone = |id: &AppId| snapshot.get(id.as_str()).is_none_or(|app| !app.enabled);
        self.troubles.lock().retain(|id, _| !gone(id));
        for app in snapshot.apps().filter(|app| app.enabled) {
            if self.look_at(app).await.is_break() {
                return;
            }
        }
    }

    /// Breaks where the others need not be asked either.
    async fn look_at(&self, app: &AppRecord) -> ControlFlow<()> {
        let key = self.registry.app_key(&app.id);
        let key = key.ok().and_then(|key| key.expose().parse::<AppKey>().ok());
        let (Some(dify), Some(key)) = (&self.dify, key) else {
            return ControlFlow::Continue(());
        };
        let facts: Facts = match dify.app(key).facts().await {
            Ok(facts) => Facts::from(facts).still(app),
            Err(error) if error.is_of_app() => {
                self.trouble(app, error.operator());
                return ControlFlow::Continue(());
            }
            Err(error) => {
                tracing::debug!(
                    error = error.operator(),
                    "Dify was not asked for its apps' forms"
                );
                return ControlFlow::Break(());
            }
        };
        if facts.stored().facts == app.facts {
            self.well(app);
            return ControlFlow::Continue(());
        }
        match self.describe_again(app, &facts).await {
            Ok(now) => {
                self.well(app);
                tracing::info!(app = %app.slug, "the app has changed in Dify, and is described anew");
                for note in AppView::new(&now).notes {
                    tracing::warn!(app = %app.slug, note, "a note on the changed app");
                }
            }
            // An operation was quicker; the next look sees what it made.
            Err(OpError::Registry(
                airlock_registry::Error::Changed | airlock_registry::Error::UnknownApp,
            )) => {}
            Err(error) => self.trouble(
                app,
                format!("it has changed in Dify, and is served as it was: {error}"),
            ),
        }
        ControlFlow::Continue(())
    }

    fn trouble(&self, app: &AppRecord, words: String) {
        if self.troubles.note(&app.id, Some(words.clone())) {
            tracing::warn!(app = %app.slug, trouble = words, "an app is in trouble");
        }
    }

    fn well(&self, app: &AppRecord) {
        if self.troubles.note(&app.id, None) {
            tracing::info!(app = %app.slug, "an app is well again");
        }
    }
}

/// `every`, give or take a fifth.
fn jittered(every: Duration) -> Duration {
    // Every `RandomState` has random keys.
    let random = RandomState::new().hash_one(0) as f64 / u64::MAX as f64;
    every.mul_f64(1.0 - JITTER + 2.0 * JITTER * random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_about_as_far_apart_as_asked_and_not_in_step() {
        let every = Duration::from_secs(300);
        let looks: Vec<Duration> = (0..100).map(|_| jittered(every)).collect();
        assert!(
            looks
                .iter()
                .all(|look| (240..=360).contains(&look.as_secs()))
        );
        assert!(looks.windows(2).any(|pair| pair[0] != pair[1]));
    }
}
