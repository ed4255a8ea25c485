//! Dify's event stream, cut into events: an incremental parser of the part of SSE that Dify speaks.
//!
//! The type of an event stands inside its JSON, so `event:`, `id:` and `retry:` are skipped, as are comments and lines
//! that are no SSE at all. A ping has no data and yields nothing: silence is judged on bytes, before this parser.
//!
//! What lies in one piece of the network's is given as a slice of it; what was cut is put together once.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr;

use crate::step::is_step;
use crate::{Bound, Config, Error};

/// Takes bytes as they arrive, gives the data of whole events.
#[derive(Debug)]
pub(crate) struct Parser {
    /// What came last and was not looked at yet.
    piece: Bytes,
    /// A line that has no end yet.
    line: BytesMut,
    /// The `data` lines of an event that has no end yet.
    data: Option<Bytes>,
    /// The rest of the line is passed over.
    passing: bool,
    bounds: Bounds,
}

/// How much is held of an unfinished event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Bytes of any event; a longer one is an error.
    pub(crate) event: usize,
    /// Bytes of one that may be missed; a longer one is passed over.
    pub(crate) minor: usize,
    /// May the event be missed whose line begins so?
    pub(crate) is_minor: fn(&[u8]) -> bool,
}

impl Bounds {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            event: config.event_cap,
            minor: config.step_cap,
            is_minor: |line| line.strip_prefix(b"data:").is_some_and(is_step),
        }
    }
}

impl Parser {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            piece: Bytes::new(),
            line: BytesMut::new(),
            data: None,
            passing: false,
            bounds,
        }
    }

    /// Takes the next bytes, wherever they were cut. What came before has been given by [`Parser::next`].
    pub(crate) fn push(&mut self, piece: Bytes) {
        debug_assert!(self.piece.is_empty(), "events were left behind");
        self.piece = piece;
    }

    /// The data of the next whole event.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, Error> {
        while let Some(end) = memchr(b'\n', &self.piece) {
            // The blank line, which every other one is.
            if end == 0 && self.line.is_empty() && !self.passing {
                self.piece.advance(1);
                if let Some(event) = self.data.take() {
                    return Ok(Some(event));
                }
                continue;
            }
            let rest = self.piece.split_to(end);
            self.piece.advance(1);
            if std::mem::take(&mut self.passing) {
                continue;
            }
            let line = if self.line.is_empty() {
                rest
            } else {
                self.check(self.line.len() + rest.len())?;
                // The buffer comes back when the event is dropped.
                self.line.extend_from_slice(&rest);
                self.line.split().freeze()
            };
            if let Some(event) = self.take_line(line)? {
                return Ok(Some(event));
            }
        }
        let rest = std::mem::take(&mut self.piece);
        self.keep(&rest)?;
        Ok(None)
    }

    /// What the stream's end left behind: an event whose last blank line never came is still an event.
    pub(crate) fn finish(&mut self) -> Option<Bytes> {
        let line = std::mem::take(&mut self.line);
        let event = self.take_line(line.freeze()).ok()?;
        event.or_else(|| self.data.take())
    }

    fn keep(&mut self, rest: &[u8]) -> Result<(), Error> {
        if self.passing {
            return Ok(());
        }
        let length = self.line.len() + rest.len();
        if length > self.bounds.minor && (self.bounds.is_minor)(&self.line) {
            tracing::debug!(
                length,
                "a long event of Dify that tells only of a step was passed over"
            );
            self.line = BytesMut::new();
            self.passing = true;
            return Ok(());
        }
        self.check(length)?;
        self.line.extend_from_slice(rest);
        Ok(())
    }

    fn check(&self, more: usize) -> Result<(), Error> {
        if self.data.as_ref().map_or(0, Bytes::len) + more > self.bounds.event {
            return Err(Error::TooLarge {
                bound: Bound::Event,
                limit: self.bounds.event,
            });
        }
        Ok(())
    }

    /// Gives an event when the line is the blank one behind it.
    fn take_line(&mut self, mut line: Bytes) -> Result<Option<Bytes>, Error> {
        if line.last() == Some(&b'\r') {
            line.truncate(line.len() - 1);
        }
        if line.is_empty() {
            return Ok(self.data.take());
        }
        if line.starts_with(b"data:") {
            line.advance(if line.get(5) == Some(&b' ') { 6 } else { 5 });
            self.check(line.len() + 1)?;
            self.data = Some(match self.data.take() {
                Some(data) => [&data[..], b"\n", &line].concat().into(),
                None => line,
            });
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        event: 1000,
        minor: 100,
        is_minor: |line| line.starts_with(b"data: minor"),
    };

    fn all(stream: &[u8], chunk: usize) -> Result<Vec<String>, Error> {
        let mut parser = Parser::new(BOUNDS);
        let text = |event: Bytes| String::from_utf8_lossy(&event).into_owned();
        let mut events = Vec::new();
        for piece in stream.chunks(chunk) {
            parser.push(Bytes::copy_from_slice(piece));
            while let Some(event) = parser.next()? {
                events.push(text(event));
            }
        }
        events.extend(parser.finish().map(text));
        Ok(events)
    }

    fn events(stream: &[u8], chunk: usize) -> Vec<String> {
        all(stream, chunk).expect("within the cap")
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
        let lines = [b"data: ".as_slice(), &[b'x'; 90], b"\n"]
            .concat()
            .repeat(20);
        for stream in [whole, lines] {
            for chunk in [7, stream.len()] {
                let refused = all(&stream, chunk).expect_err("2000 bytes are over 1000");
                assert!(matches!(
                    refused,
                    Error::TooLarge {
                        bound: Bound::Event,
                        limit: 1000
                    }
                ));
            }
        }
    }

    #[test]
    fn what_is_held_is_one_event_however_long_the_stream() {
        let event = [b"data: ".as_slice(), &[b'x'; 60_000], b"\n\n"].concat();
        let mut parser = Parser::new(Bounds {
            event: 1 << 20,
            ..BOUNDS
        });
        let (mut most, mut events) = (0, 0);
        for piece in event.repeat(200).chunks(8 << 10) {
            parser.push(Bytes::copy_from_slice(piece));
            while parser.next().expect("within the cap").is_some() {
                events += 1;
            }
            most = most.max(parser.line.capacity());
        }
        assert_eq!(events, 200);
        assert!(
            most < 3 * event.len(),
            "12 MB came by, and {most} bytes were held"
        );
    }

    #[test]
    fn a_long_event_that_may_be_missed_is_passed_over_and_the_next_one_is_not() {
        let long = [
            b"data: minor ".as_slice(),
            &[b'x'; 5000],
            b"\n\ndata: 2\n\n",
        ]
        .concat();
        for chunk in [7, 64, 512] {
            assert_eq!(events(&long, chunk), ["2"], "cut every {chunk} bytes");
        }
        let short = b"data: minor\n\n";
        assert_eq!(events(short, 3), ["minor"]);
    }
}
