//! The keys under which clients carry for us what we do not store.

use std::fmt;

use zeroize::Zeroizing;

/// One key for each purpose; whoever has one can make up what it protects. They are the same for all replicas, and over
/// restarts.
pub struct Keys {
    /// Signs the session ids of the `initialize` era.
    pub session: Zeroizing<[u8; 32]>,
    /// Seals the states of requests that wait for an answer.
    pub state: Zeroizing<[u8; 32]>,
    /// Signs the ids of tasks.
    pub task: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Keys")
    }
}
