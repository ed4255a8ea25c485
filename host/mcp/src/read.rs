//! A request's body, read within its bounds.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::sync::Semaphore;

use crate::fault::Fault;

/// How much is read.
#[derive(Clone, Copy)]
pub(crate) struct Caps<'a> {
    /// What nobody has to wait for.
    pub(crate) usual: usize,
    /// The most.
    pub(crate) most: usize,
    /// The places of bodies between the two.
    pub(crate) large: &'a Semaphore,
}

/// Reads the whole body. A declared length over the cap is refused before a byte is read; a body in one piece is not
/// copied. Dropping the future leaves the rest unread.
pub(crate) async fn read<B: http_body::Body>(
    body: B,
    caps: Caps<'_>,
    time: Duration,
) -> Result<Bytes, Fault> {
    if body.size_hint().lower() > caps.most as u64 {
        return Err(Fault::TooLarge(caps.most));
    }
    let mut collected = pin!(collect(body, caps));
    if let Some(collected) = soon(collected.as_mut()).await {
        return collected;
    }
    tokio::time::timeout(time, collected)
        .await
        .map_err(|_elapsed| Fault::TooSlow)?
}

/// What is there at the second look at the latest, as a body is that came with its head: hyper reads it when it is first
/// asked for. Those need no timer, whose making and dropping takes the I/O driver's lock twice.
async fn soon<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    let mut looked = false;
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if looked => Poll::Ready(None),
        Poll::Pending => {
            looked = true;
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await
}

/// Not http-body-util's `collect`, which keeps every piece: a body in pieces of one byte would cost many times its size.
async fn collect<B: http_body::Body>(body: B, caps: Caps<'_>) -> Result<Bytes, Fault> {
    let mut place = None;
    let declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut body = pin!(body);
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while !body.is_end_stream()
        && let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await
    {
        let Ok(mut data) = frame.map_err(|_error| Fault::BrokenBody)?.into_data() else {
            continue; // Trailers.
        };
        let length = first.len() + whole.len() + data.remaining();
        if length > caps.most {
            return Err(Fault::TooLarge(caps.most));
        }
        if length > caps.usual && place.is_none() {
            // It is never closed.
            place = caps.large.acquire().await.ok();
        }
        if first.is_empty() && whole.is_empty() {
            first = data.copy_to_bytes(data.remaining());
        } else {
            if whole.is_empty() {
                // Grown by doubling, a large body would be copied over and over; a small one is not worth a promise.
                let room = if place.is_some() { declared } else { 0 };
                whole.reserve(room.max(first.len() + data.remaining()));
                whole.extend_from_slice(&std::mem::take(&mut first));
            } else if place.is_some() && whole.capacity() < declared {
                whole.reserve(declared - whole.len());
            }
            while data.has_remaining() {
                let piece = data.chunk();
                whole.extend_from_slice(piece);
                let length = piece.len();
                data.advance(length);
            }
        }
    }
    Ok(if whole.is_empty() {
        first
    } else {
        whole.freeze()
    })
}
