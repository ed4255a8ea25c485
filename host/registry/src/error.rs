//! What an operation of the registry can answer.

use crate::digest::Digest;

/// Why an operation was not done. For the operator: the registry is not reached from the data plane but through its
/// snapshot, which has no errors. No variant holds a secret, or text that might be one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No app has that slug, id or beginning of an id. The word is not repeated: it may be a key in the wrong place.
    #[error("there is no such app: `airlock app list` shows them")]
    UnknownApp,
    /// More than one app's id begins so.
    #[error("{count} apps have an id that begins so: write more of it")]
    Ambiguous {
        /// How many.
        count: usize,
    },
    /// The manifest was made from a component, facts or settings that the app no longer has.
    #[error("the app changed while its guest described it: try again")]
    Changed,
    /// There is no address to replace.
    #[error("the app has no address yet: enable it first")]
    NoAddress,
    /// Not something that Dify's API would take.
    #[error(
        "an app key is up to 256 visible ASCII characters, as Dify shows it under API Access (app-…)"
    )]
    BadAppKey,
    /// The key is another app's.
    #[error("this key is registered already, for the app {slug}")]
    KeyTaken {
        /// That app's short name.
        slug: String,
    },
    /// A bound of [`bounds`](crate::bounds).
    #[error("{what} has {size} bytes, and {limit} are allowed")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size in bytes.
        size: usize,
        /// The bound in bytes.
        limit: usize,
    },
    /// A bound of [`bounds`](crate::bounds).
    #[error("there can be {limit} {what}: remove some first")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
    /// JSON that would not be read back.
    #[error("{what} has more than 127 lists and objects inside one another")]
    TooDeep {
        /// What is too deep.
        what: &'static str,
    },
    /// The stored bytes of a component are not the ones that were stored.
    #[error(
        "the component {0} is damaged in the registry: give the app its guest again, or restore a backup"
    )]
    DamagedComponent(Digest),
    /// A stored secret does not open, though everything did when the registry was opened.
    #[error("a stored secret does not open: the registry changed under this server; restart it")]
    Unsealable,
    /// SQLite failed. Nothing was changed, in the file or in memory.
    #[error("the registry could not be read or written, and nothing was changed: {0}")]
    Storage(#[from] sqlx::Error),
    /// The registry was closed, because the server stops.
    #[error("airlock is stopping: try again when it is back")]
    Closed,
}
