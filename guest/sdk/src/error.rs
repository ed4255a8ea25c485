use std::fmt;

use serde_json::{Map, Value};

/// Why a guest could not do what it was asked. Every text is for the caller.
#[derive(Clone, Debug, PartialEq)]
pub enum Error {
    /// The arguments are wrong; the text says which and how.
    InvalidArguments(String),
    /// The guest has no tool of this name.
    UnknownTool(String),
    /// Dify refused or failed; return it as it came, and the host says it in the words that fit the client.
    Dify(Box<DifyError>),
    /// Anything else.
    Failed(String),
    /// What a later contract knows.
    Other(Value),
}

/// Dify refused or failed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DifyError {
    /// The HTTP status; 0 where there was no answer.
    pub status: u16,
    /// Dify's code (`invalid_param`, `app_unavailable`, …), or the host's: `unreachable`, `timeout`, `busy`, `failed`,
    /// `stopped`, `incomplete`, `too_large`.
    pub code: String,
    /// Words for the caller.
    pub message: String,
    /// Would the same call later have a chance?
    pub retryable: bool,
    /// What later hosts say besides.
    pub extra: Map<String, Value>,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::InvalidArguments(words) | Error::Failed(words) => f.write_str(words),
            Error::UnknownTool(name) => write!(f, "there is no tool `{name}` here"),
            Error::Dify(error) => error.fmt(f),
            Error::Other(value) => write!(f, "{value}"),
        }
    }
}

impl fmt::Display for DifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl std::error::Error for Error {}
impl std::error::Error for DifyError {}

impl From<DifyError> for Error {
    fn from(error: DifyError) -> Error {
        Error::Dify(Box::new(error))
    }
}

impl From<Vec<airlock_form::Fault>> for Error {
    fn from(faults: Vec<airlock_form::Fault>) -> Error {
        let sentences: Vec<String> = faults.iter().map(ToString::to_string).collect();
        Error::InvalidArguments(sentences.join("; "))
    }
}
