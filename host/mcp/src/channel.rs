//! What replicas of one server ask of whoever connects them.

use std::sync::Arc;

use tokio::sync::broadcast;

/// Between the replicas that serve the same addresses, of which a client's next request may reach any. Best effort: a
/// message may be lost, and whoever needs to know whether it arrived is told by another.
///
/// A message has at most the bytes of a request's body ([`body_cap`](crate::Config::body_cap)) and 4 KiB; nearly all have
/// a few hundred. A transport with a smaller bound of its own, like the 8,000 bytes of PostgreSQL's `NOTIFY`, carries the
/// larger ones in a row, and the row's name in the notification. What a message holds is not for the channel to read; it
/// holds what people answered, so it belongs sealed where others could read or write it.
pub trait Channel: Send + Sync + 'static {
    /// Could another replica be listening? While none could, nothing is published or waited for.
    fn is_shared(&self) -> bool;

    /// Tells all replicas; that this one hears it too does no harm. Never waits: a message is queued, or refused.
    ///
    /// # Errors
    /// When the queue is full, or the others cannot be reached.
    fn publish(&self, message: Arc<[u8]>) -> Result<(), ChannelError>;

    /// What is published from now on. One who reads too slowly loses the oldest messages, and nothing else.
    fn subscribe(&self) -> broadcast::Receiver<Arc<[u8]>>;
}

/// A message was not published; the words are for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("other replicas were not told: {0}")]
pub struct ChannelError(pub String);
