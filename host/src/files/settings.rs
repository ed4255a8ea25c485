//! What an operator decides about files.

use super::public::OpenPlaces;
use super::spool::SpoolBounds;

/// The decisions, each with a default in `config`.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who fetches addresses that callers give.
    pub fetched_by: FetchedBy,
    /// Where this server's own fetching may go besides public places.
    pub open: OpenPlaces,
    /// Bytes of a request to an app that takes files, and of a file fetched for a caller.
    pub body_limit: usize,
    /// Bytes of a file that is handed to a client.
    pub read_limit: usize,
    /// The files that wait to be read.
    pub spool: SpoolBounds,
}

/// Who fetches an address that a caller gives for a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum FetchedBy {
    /// Dify does, through its own proxy.
    Dify,
    /// This server does, and hands the file over; where an input takes addresses only, Dify.
    Airlock,
}
