//! Why a component is not taken in, and how a call can end that is no answer of the guest's.

use std::time::Duration;

/// A component that Airlock does not take. Every text says what is wrong with it and what its author can do.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Bytes that are no WebAssembly.
    #[error("this is not WebAssembly: {0}")]
    NotWasm(String),
    /// A core module without a component type.
    #[error(
        "this core module carries no component type, so it cannot be made a component: {0}. \
         Build it with `airlock guest build`"
    )]
    NotAComponent(String),
    /// Imports outside the contract.
    #[error(
        "this component imports what no guest is given: {}. A guest may import {}; what a language's runtime may bring \
         of WASI is in docs/GUESTS.md",
        .0.join(", "), crate::inspect::GIVEN.join(", ")
    )]
    UnknownImports(Vec<String>),
    /// Exports of the contract that are not there.
    #[error("this component does not export {}; see wit/ for what a guest exports", .0.join(", "))]
    MissingExports(Vec<String>),
    /// Strings in an encoding that the host does not transcode.
    #[error(
        "this component uses {0} strings; only UTF-8 is taken. Rebuild it with UTF-8 string encoding"
    )]
    StringEncoding(&'static str),
    /// The right names with other types behind them.
    #[error("this component was built for another version of the contract: {0}")]
    WrongTypes(String),
    /// It does not compile here.
    #[error("this component does not compile: {0}")]
    Invalid(String),
    /// What another process that compiled found, in the words of its refusal.
    #[error("{0}")]
    Told(String),
}

/// A bound of [`crate::Limits`], with its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Bytes of linear memory.
    Memory(usize),
    /// Elements of tables.
    Table(usize),
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Memory(bytes) => write!(f, "{} MiB of memory", bytes >> 20),
            Self::Table(elements) => write!(f, "{elements} table elements"),
        }
    }
}

/// A call that ended without the guest's answer. Its text is for the operator's log; [`Failure::caller`] has the words
/// for the client.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failure {
    /// The guest stopped itself: a panic, an `unreachable`, a bad memory access, a broken value at the boundary.
    #[error("the guest trapped: {0}")]
    Trap(String),
    /// It computed for too long.
    #[error("the guest computed for more than {0:?} (limit: cpu)")]
    Cpu(Duration),
    /// It asked for more than it may have, and could not go on.
    #[error("the guest asked for more than {0}")]
    Bound(Bound),
    /// The call took too long.
    #[error("the call took more than {0:?} (limit: deadline)")]
    Deadline(Duration),
    /// `describe` used an import.
    #[error("the guest called {0} from describe, where no import works")]
    ImportInDescribe(&'static str),
    /// All instances are taken.
    #[error("all {0} guest instances are in use")]
    Full(usize),
    /// A fault of Airlock's.
    #[error("the sandbox failed: {0}")]
    Internal(String),
}

impl Failure {
    /// What the client reads: the cause and whose turn it is, nothing internal.
    #[must_use]
    pub fn caller(&self) -> String {
        match self {
            Self::Trap(_) => "This tool's guest crashed during the call. The operator of this server can find the reason in its log.".into(),
            Self::Cpu(limit) => format!("This tool's guest computed for more than {limit:?} and was stopped. The operator of this server has to look into it."),
            Self::Bound(bound) => format!("This tool's guest asked for more than {bound} and was stopped. A smaller request may pass; otherwise the operator of this server has to look into it."),
            Self::Deadline(limit) => format!("The call was ended after {} seconds without an answer.", limit.as_secs()),
            Self::ImportInDescribe(_) | Self::Internal(_) => "This tool failed inside the server. The operator can find the reason in its log.".into(),
            Self::Full(_) => "This server is at its limit of running calls. Try again in a few seconds.".into(),
        }
    }
}
