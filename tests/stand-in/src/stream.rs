//! Bodies of server-sent events, one event per HTTP chunk.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::seen::Counted;

/// The `Content-Type` of a stream.
pub(crate) const CONTENT_TYPE: &str = "text/event-stream; charset=utf-8";

/// The keep-alive of workflows and chatflows: an event without data.
pub(crate) const PING: Bytes = Bytes::from_static(b"event: ping\n\n");

/// How long Dify leaves a stream open on which nothing comes.
pub(crate) const SILENCE: Duration = Duration::from_secs(300);

/// Chunks that wait for the connection. A slow reader holds up the run of a chat-like mode, which lives in the process that
/// answers; that of a flow lives in a worker, and the reader loses what comes while its queue is full.
pub(crate) const WAITING: usize = 4_096;

/// The body: what [`channel`]'s sender is given, until the sender is dropped.
pub(crate) struct Events {
    chunks: mpsc::Receiver<Bytes>,
    _open: Counted,
}

/// A body and its sender. The sender learns of a client that has gone.
pub(crate) fn channel(open: Counted) -> (mpsc::Sender<Bytes>, Events) {
    let (sender, chunks) = mpsc::channel(WAITING);
    (
        sender,
        Events {
            chunks,
            _open: open,
        },
    )
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let chunk = self.chunks.poll_recv(context);
        chunk.map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk))))
    }
}

/// One event: the type is inside the JSON, and the JSON is compact.
pub(crate) fn event(data: &Value) -> Bytes {
    format!("data: {data}\n\n").into()
}

/// Keeps a stream open and silent until the client leaves or Dify would give up.
pub(crate) async fn silence(sender: &mpsc::Sender<Bytes>) {
    // Both ways out mean the same: nobody waits any more.
    let _ = tokio::time::timeout(SILENCE, sender.closed()).await;
}
