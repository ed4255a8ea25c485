//! Between all who serve from one registry.

use std::sync::Arc;

use tokio::sync::broadcast;

/// Messages for all who listen, whose meaning is theirs. Nothing is kept: who listens later has missed what was said.
///
/// A registry in SQLite has one process, so its channel goes no further. Clones are the same channel.
#[derive(Clone, Debug)]
pub struct Channel(broadcast::Sender<Arc<[u8]>>);

/// Too many messages wait for a listener that is too slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{ROOM} messages wait to be heard")]
pub struct ChannelFull;

/// Messages that may wait.
const ROOM: usize = 64;

impl Channel {
    pub(crate) fn new() -> Self {
        Self(broadcast::Sender::new(ROOM))
    }

    /// Does anybody listen but the one who asks, who listens too?
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.0.receiver_count() > 1
    }

    /// Tells all who listen, the one who speaks as well. Never waits.
    ///
    /// # Errors
    /// [`ChannelFull`], so that what waits is heard rather than replaced.
    pub fn publish(&self, message: Arc<[u8]>) -> Result<(), ChannelFull> {
        if self.0.len() >= ROOM {
            return Err(ChannelFull);
        }
        // An error says that nobody listens.
        let _ = self.0.send(message);
        Ok(())
    }

    /// What is published from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<[u8]>> {
        self.0.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_channel_that_is_full_loses_nothing_and_says_so() {
        let channel = Channel::new();
        let mut slow = channel.subscribe();
        assert!(!channel.is_shared());
        let _other = channel.subscribe();
        assert!(channel.is_shared());
        for number in 0..ROOM {
            let message = [u8::try_from(number).expect("a small number")];
            assert_eq!(channel.publish(message.into()), Ok(()));
        }
        assert_eq!(channel.publish([0].into()), Err(ChannelFull));
        for number in 0..ROOM {
            let message = slow.recv().await.expect("nothing was lost");
            assert_eq!(usize::from(message[0]), number);
        }
    }
}
