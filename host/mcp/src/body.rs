//! The body of a response: bytes at once, or events as they come.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::{
    sync::mpsc,
    time::{Instant, Sleep},
};

use crate::call::Out;

/// A response's body. Dropping one that still streams is how a client hangs up.
#[derive(Debug)]
pub struct Body(Kind);

#[derive(Debug)]
enum Kind {
    Full(Bytes),
    Events(Events),
}

/// Messages of running calls, and comments when they are silent.
#[derive(Debug)]
struct Events {
    /// What goes out at once, so that no proxy waits for its first byte.
    head: Bytes,
    inbox: mpsc::Receiver<Out>,
    silence: Pin<Box<Sleep>>,
    comment_every: Duration,
}

const COMMENT: &[u8] = b": still running\n\n";

impl Body {
    pub(crate) fn empty() -> Self {
        Self::full(Bytes::new())
    }

    pub(crate) fn full(bytes: Bytes) -> Self {
        Self(Kind::Full(bytes))
    }

    /// Starts with `messages`, or with a comment where there are none; ends when `inbox` does.
    pub(crate) fn events(
        messages: &[Bytes],
        inbox: mpsc::Receiver<Out>,
        comment_every: Duration,
    ) -> Self {
        let head = if messages.is_empty() {
            Bytes::from_static(COMMENT)
        } else {
            messages
                .iter()
                .map(|message| event(message))
                .collect::<Vec<_>>()
                .concat()
                .into()
        };
        let silence = Box::pin(tokio::time::sleep(comment_every));
        Self(Kind::Events(Events {
            head,
            inbox,
            silence,
            comment_every,
        }))
    }
}

/// A message as a server-sent event. It has no `id:`, because a stream cannot be resumed, and an id would make clients
/// try.
pub(crate) fn event(message: &[u8]) -> Bytes {
    const HEAD: &[u8] = b"event: message\ndata: ";
    let mut event = Vec::with_capacity(HEAD.len() + message.len() + 2);
    event.extend_from_slice(HEAD);
    // A line break would end the data. In JSON it can only be white space between tokens: strings have it escaped.
    event.extend(message.iter().map(|&byte| {
        if byte == b'\n' || byte == b'\r' {
            b' '
        } else {
            byte
        }
    }));
    event.extend_from_slice(b"\n\n");
    event.into()
}

impl Events {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if !self.head.is_empty() {
            return Poll::Ready(Some(std::mem::take(&mut self.head)));
        }
        let bytes = loop {
            match self.inbox.poll_recv(context) {
                Poll::Ready(Some(Out::Note(message) | Out::Answer(_, message))) => {
                    break event(&message);
                }
                // "The receiver of a cancellation SHOULD NOT send a response" (basic/utilities/cancellation).
                Poll::Ready(Some(Out::Cancelled(_))) => {}
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => match self.silence.as_mut().poll(context) {
                    Poll::Ready(()) => break Bytes::from_static(COMMENT),
                    Poll::Pending => return Poll::Pending,
                },
            }
        };
        self.silence
            .as_mut()
            .reset(Instant::now() + self.comment_every);
        Poll::Ready(Some(bytes))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.0 {
            Kind::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            Kind::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Kind::Events(events) => events
                .poll(context)
                .map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Full(bytes) => bytes.is_empty(),
            Kind::Events(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Events(_) => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_between_tokens_do_not_break_an_event() {
        assert_eq!(
            event(b"{\n\"a\":\r\n1}"),
            "event: message\ndata: { \"a\":  1}\n\n"
        );
    }
}
