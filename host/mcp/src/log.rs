//! Log messages for the client (`notifications/message`), of one request.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use crate::{call::Out, session::prefix};

/// The levels of RFC 5424, least severe first: comparisons say "at least as severe".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// For whoever debugs the server.
    Debug,
    /// Ordinary progress.
    Info,
    /// Ordinary, but worth a look.
    Notice,
    /// Not an error yet.
    Warning,
    /// Something failed.
    Error,
    /// A component failed.
    Critical,
    /// Somebody must act at once.
    Alert,
    /// Nothing works.
    Emergency,
}

/// Where a server says what a client may show as its log. Cheap to clone; it never waits.
#[derive(Clone, Debug)]
pub struct Log(Option<Open>);

#[derive(Clone, Debug)]
struct Open {
    least: Level,
    /// Weak, because the stream ends with its last sender, and a server may keep this for longer.
    out: mpsc::WeakSender<Out>,
}

/// Bytes of one message's data; larger ones are dropped.
const DATA_MAX: usize = 8 * 1024;

/// Bytes of a logger's name; the rest is cut off.
const LOGGER_MAX: usize = 64;

impl Log {
    /// Sends one message. It is dropped where the client did not ask for that level, cannot be reached while the request
    /// runs, or reads too slowly, and when the data are larger than 8 KiB.
    pub fn send(&self, level: Level, logger: Option<&str>, data: &RawValue) {
        #[derive(Serialize)]
        struct Message<'a> {
            jsonrpc: &'static str,
            method: &'static str,
            params: Params<'a>,
        }
        #[derive(Serialize)]
        struct Params<'a> {
            level: Level,
            #[serde(skip_serializing_if = "Option::is_none")]
            logger: Option<&'a str>,
            data: &'a RawValue,
        }
        let Some(open) = &self.0 else { return };
        if level < open.least || data.get().len() > DATA_MAX {
            return;
        }
        let message = Message {
            jsonrpc: "2.0",
            method: "notifications/message",
            params: Params {
                level,
                logger: logger.map(|logger| prefix(logger, LOGGER_MAX)),
                data,
            },
        };
        let message = serde_json::to_vec(&message).expect("strings and raw JSON are JSON");
        // A full channel is a slow reader, a closed one has left.
        if let Some(out) = open.out.upgrade() {
            let _ = out.try_send(Out::Note(message.into()));
        }
    }

    /// Would a message of that level be sent?
    #[must_use]
    pub fn wants(&self, level: Level) -> bool {
        self.0.as_ref().is_some_and(|open| level >= open.least)
    }

    /// For a client that cannot be told.
    pub(crate) fn off() -> Self {
        Self(None)
    }

    /// For one request; without a level it sends nothing.
    pub(crate) fn new(least: Option<Level>, out: &mpsc::Sender<Out>) -> Self {
        Self(least.map(|least| Open {
            least,
            out: out.downgrade(),
        }))
    }
}

impl Level {
    /// None for what is no level.
    pub(crate) fn read(raw: &RawValue) -> Option<Self> {
        serde_json::from_str(raw.get()).ok()
    }
}
