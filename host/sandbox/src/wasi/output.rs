//! Standard output and standard error: lines for the operator's log.

use wasmtime::component::Resource;

use crate::state::State;
use crate::wit::Level;

/// Bytes of a line. A longer one is logged in pieces.
const LINE: usize = 2_000;

/// Bytes of the end of what was written in `describe`, where no log is.
const LAST_WORDS: usize = 2_000;

/// Where a guest writes to.
#[derive(Clone, Copy)]
pub(crate) enum Stream {
    Out,
    Err,
}

impl Stream {
    /// Streams have nothing behind them but their number, so a handle is the number.
    pub(super) fn handle(self) -> Resource<Self> {
        Resource::new_own(self as u32)
    }

    pub(super) fn of(handle: &Resource<Self>) -> Self {
        if handle.rep() == Self::Out as u32 {
            Self::Out
        } else {
            Self::Err
        }
    }

    fn level(self) -> Level {
        match self {
            Self::Out => Level::Info,
            Self::Err => Level::Warning,
        }
    }
}

/// What was written and is no line yet, of each stream.
#[derive(Default)]
pub(crate) struct Lines {
    begun: [Vec<u8>; 2],
    last_words: Vec<u8>,
}

impl State {
    /// The guest writes to one of its streams.
    pub(super) fn print(&mut self, stream: Stream, bytes: &[u8]) {
        if self.in_describe() {
            let words = &mut self.wasi.lines.last_words;
            words.extend_from_slice(&bytes[bytes.len().saturating_sub(LAST_WORDS)..]);
            words.drain(..words.len().saturating_sub(LAST_WORDS));
            return;
        }
        // The writing succeeds all the same: a program that cannot print has no better way to say so.
        if !self.may_log(bytes.len()) {
            return;
        }
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            for piece in piece.chunks(LINE) {
                let line = &mut self.wasi.lines.begun[stream as usize];
                line.extend_from_slice(piece);
                if line.len() >= LINE || line.ends_with(b"\n") {
                    self.end_line(stream);
                }
            }
        }
    }

    /// The call is over: what is no line yet becomes one.
    pub(crate) fn end_output(&mut self) {
        for stream in [Stream::Out, Stream::Err] {
            self.end_line(stream);
        }
    }

    fn end_line(&mut self, stream: Stream) {
        let line = std::mem::take(&mut self.wasi.lines.begun[stream as usize]);
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if !text.is_empty() {
            let data = serde_json::Value::from(text).to_string();
            self.log_line(stream.level(), &data);
        }
    }

    /// The end of what was written in `describe`: with it an interpreter says why it gave up.
    pub(crate) fn last_words(&self) -> Option<String> {
        let words = String::from_utf8_lossy(&self.wasi.lines.last_words);
        let words = words.trim();
        (!words.is_empty()).then(|| words.to_owned())
    }
}
