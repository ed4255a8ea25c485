//! A call of a guest, on the thread where it belongs.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

use crate::backend::BoxFuture;
use crate::clock::CpuClock;
use crate::error::Failure;
use crate::pace::Pace;

type Ended<T> = Result<T, Failure>;

/// Runs where it is polled until it has computed for long or its component is known to do so, and on the guests' threads
/// from then on.
/// Dropping it ends the call.
pub(crate) struct Placed<T> {
    place: Place<T>,
    clock: Arc<CpuClock>,
    pace: Arc<Pace>,
    guests: Handle,
}

enum Place<T> {
    Here(BoxFuture<'static, Ended<T>>),
    There(AbortOnDropHandle<Ended<T>>),
    /// Only while it moves, and once it is over.
    Nowhere,
}

impl<T: Send + 'static> Placed<T> {
    pub(crate) fn new(
        call: BoxFuture<'static, Ended<T>>,
        clock: Arc<CpuClock>,
        pace: Arc<Pace>,
        guests: &Handle,
    ) -> Self {
        Self {
            place: Place::Here(call),
            clock,
            pace,
            guests: guests.clone(),
        }
    }
}

impl<T: Send + 'static> Future for Placed<T> {
    type Output = Ended<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Ended<T>> {
        loop {
            match std::mem::replace(&mut self.place, Place::Nowhere) {
                Place::Here(call) if self.clock.is_slow() || self.pace.is_slow() => {
                    let moved = self.guests.spawn(call);
                    self.place = Place::There(AbortOnDropHandle::new(moved));
                }
                Place::Here(mut call) => {
                    // A panic in the host's own code below the guest ends this call and no other.
                    let polled = catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(context)));
                    match polled {
                        Ok(Poll::Pending) => self.place = Place::Here(call),
                        Ok(ended) => return ended,
                        Err(panic) => return Poll::Ready(Err(panicked(&*panic))),
                    }
                    return Poll::Pending;
                }
                Place::There(mut call) => {
                    let polled = Pin::new(&mut call).poll(context);
                    let Poll::Ready(joined) = polled else {
                        self.place = Place::There(call);
                        return Poll::Pending;
                    };
                    let joined =
                        joined.unwrap_or_else(|error| Err(Failure::Internal(error.to_string())));
                    return Poll::Ready(joined);
                }
                Place::Nowhere => {
                    let words = "a call was asked for after its end";
                    return Poll::Ready(Err(Failure::Internal(words.into())));
                }
            }
        }
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Failure {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Failure::Internal(format!("panicked: {}", text.unwrap_or("without words")))
}
