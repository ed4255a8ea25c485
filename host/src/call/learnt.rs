//! What is learnt of an app from its runs.

use airlock_registry::Error;

use super::service::Inner;
use crate::facts::Facts;
use crate::ops::{OpError, describe_again};

/// Attempts to write it down while others change the app.
const ATTEMPTS: usize = 3;

impl Inner {
    /// A run of the app waits for a person, which Dify says of no app beforehand. The guest is told once: it may offer more
    /// from now on, and is to have done so when the call that brought this to light has its result.
    pub(super) async fn has_paused(&self) {
        if self.pauses {
            return;
        }
        for _ in 0..ATTEMPTS {
            match self.learn_that_it_pauses().await {
                Ok(()) => return,
                Err(OpError::Registry(Error::Changed)) => {}
                Err(error) => {
                    tracing::warn!(app = %self.record.slug, %error, "that this app asks people could not be noted");
                    return;
                }
            }
        }
    }

    async fn learn_that_it_pauses(&self) -> Result<(), OpError> {
        let shared = &self.shared;
        let snapshot = shared.registry.snapshot();
        let Some(app) = snapshot.get(self.record.id.as_str()) else {
            return Ok(());
        };
        let mut facts = Facts::of(app).map_err(|error| OpError::Stored(error.to_string()))?;
        if facts.pauses {
            return Ok(());
        }
        facts.pauses = true;
        describe_again(&shared.registry, &shared.guests, app, &facts).await?;
        tracing::info!(app = %self.record.slug, "a run of this app waits for a person; its guest knows now");
        Ok(())
    }
}
