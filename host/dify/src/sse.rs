//! Dify's event stream, cut into events: an incremental parser of the part of SSE that Dify speaks.
//!
//! The type of an event stands inside its JSON, so `event:`, `id:` and `retry:` are skipped, as are comments and lines
//! that are no SSE at all. A ping has no data and yields nothing: silence is judged on bytes, before this parser.

use std::collections::VecDeque;

use crate::{Bound, Error};

/// Takes bytes as they arrive, gives the data of whole events.
#[derive(Debug)]
pub(crate) struct Parser {
    /// A line that has no end yet.
    line: Vec<u8>,
    /// The `data` lines of an event that has no end yet.
    data: Option<Vec<u8>>,
    ready: VecDeque<Vec<u8>>,
    cap: usize,
}

impl Parser {
    /// `cap` bounds one event, and so what is held of an unfinished one.
    pub(crate) fn new(cap: usize) -> Self {
        Self {
            line: Vec::new(),
            data: None,
            ready: VecDeque::new(),
            cap,
        }
    }

    /// Takes the next bytes, wherever they were cut.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            let (head, tail) = bytes.split_at(end);
            bytes = &tail[1..];
            if self.line.is_empty() {
                self.take_line(head)?;
            } else {
                self.keep(head)?;
                let line = std::mem::take(&mut self.line);
                self.take_line(&line)?;
            }
        }
        self.keep(bytes)
    }

    /// The data of the next whole event.
    pub(crate) fn pop(&mut self) -> Option<Vec<u8>> {
        self.ready.pop_front()
    }

    /// What the stream's end left behind: an event whose last blank line never came is still an event.
    pub(crate) fn finish(&mut self) -> Option<Vec<u8>> {
        let line = std::mem::take(&mut self.line);
        self.take_line(&line).ok()?;
        self.dispatch();
        self.ready.pop_front()
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.check(self.line.len() + bytes.len())?;
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn check(&self, more: usize) -> Result<(), Error> {
        if self.data.as_ref().map_or(0, Vec::len) + more > self.cap {
            return Err(Error::TooLarge {
                bound: Bound::Event,
                limit: self.cap,
            });
        }
        Ok(())
    }

    fn take_line(&mut self, line: &[u8]) -> Result<(), Error> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            self.dispatch();
        } else if let Some(value) = line.strip_prefix(b"data:") {
            let value = value.strip_prefix(b" ").unwrap_or(value);
            self.check(value.len() + 1)?;
            match &mut self.data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                None => self.data = Some(value.to_vec()),
            }
        }
        Ok(())
    }

    fn dispatch(&mut self) {
        self.ready.extend(self.data.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(stream: &[u8], chunk: usize) -> Vec<String> {
        let mut parser = Parser::new(1000);
        let mut events = Vec::new();
        for piece in stream.chunks(chunk) {
            parser.push(piece).expect("within the cap");
            while let Some(event) = parser.pop() {
                events.push(String::from_utf8_lossy(&event).into_owned());
            }
        }
        events.extend(
            parser
                .finish()
                .map(|event| String::from_utf8_lossy(&event).into_owned()),
        );
        events
    }

    #[test]
    fn events_are_the_same_however_the_bytes_are_cut() {
        let stream = b"event: ping\n\ndata: {\"a\":1}\n\ndata:{\"b\":2}\r\n\r\n: comment\nid: 7\ngarbage\n\ndata: x\ndata: y\n\n";
        for chunk in 1..=stream.len() {
            assert_eq!(
                events(stream, chunk),
                ["{\"a\":1}", "{\"b\":2}", "x\ny"],
                "cut every {chunk} bytes"
            );
        }
    }

    #[test]
    fn an_event_cut_off_before_its_blank_line_is_still_given() {
        assert_eq!(events(b"data: 1\n\ndata: 2\n", 3), ["1", "2"]);
        assert_eq!(events(b"data: 1\n\ndata: 2", 3), ["1", "2"]);
        assert_eq!(events(b"event: ping\n", 3), Vec::<String>::new());
    }

    #[test]
    fn bytes_that_are_no_text_do_no_harm() {
        assert_eq!(events(b"\xff\xfe\n\ndata: a\xff\n\n", 1), ["a\u{fffd}"]);
    }

    #[test]
    fn an_event_over_the_cap_is_refused_in_one_line_or_in_many() {
        let whole = [b"data: ".as_slice(), &[b'x'; 2000]].concat();
        assert!(Parser::new(1000).push(&whole).is_err());
        let mut parser = Parser::new(1000);
        let line = [b"data: ".as_slice(), &[b'x'; 90], b"\n"].concat();
        let refused = (0..20)
            .find_map(|_| parser.push(&line).err())
            .expect("20 lines of 90 bytes are over 1000");
        assert!(matches!(
            refused,
            Error::TooLarge {
                bound: Bound::Event,
                limit: 1000
            }
        ));
    }
}
