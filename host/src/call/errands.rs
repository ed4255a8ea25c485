//! What a call does for its guest while the guest waits: mostly its I/O with Dify.
//!
//! It must not run where guests compute. It needs no task of its own either, because the call's own task does nothing else
//! meanwhile; another one would have to be woken for each piece, on another thread as likely as not.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::task::{Context, Poll};

use airlock_sandbox::BoxFuture;
use futures_util::FutureExt;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::wakes::Wakes;

/// What of a call is polled.
const CALL: u8 = 1;
const ERRANDS: u8 = 2;

type Errand = BoxFuture<'static, ()>;

/// Where errands are given.
pub(super) enum Errands {
    /// To the call's own task.
    Beside(UnboundedSender<Errand>),
    /// To the threads that do I/O, each as a task. For calls with a journal, which both sides wait for: a call that waits
    /// for its errand's turn at the journal would not drive the errand to its end.
    Spawned(Handle),
}

/// Does the errands of one call, unless they are tasks.
pub(super) struct Errander(Option<UnboundedReceiver<Errand>>);

impl Errands {
    /// The channel has no bound of its own: a call may have only so many runs, and each has one errand at a time.
    pub(super) fn beside() -> (Self, Errander) {
        let (give, take) = unbounded_channel();
        (Self::Beside(give), Errander(Some(take)))
    }

    pub(super) fn spawned(io: &Handle) -> (Self, Errander) {
        (Self::Spawned(io.clone()), Errander(None))
    }

    /// To be done from now on. Where the call has ended, it is dropped.
    pub(super) fn give(&self, errand: impl Future<Output = ()> + Send + 'static) {
        match self {
            Self::Beside(errands) => {
                // As in a task of its own, a panic is the end of the errand: the guest hears that it is lost.
                let errand = AssertUnwindSafe(errand).catch_unwind().map(drop);
                drop(errands.send(Box::pin(errand)));
            }
            Self::Spawned(io) => drop(io.spawn(errand)),
        }
    }
}

impl Errander {
    /// Waits for `call`, and does meanwhile what it gives. What is not done by its end is dropped.
    pub(super) async fn beside<T>(self, call: impl Future<Output = T>) -> T {
        let Some(mut given) = self.0 else {
            return call.await;
        };
        let mut call = pin!(call);
        let mut errands = Vec::<Errand>::new();
        let wakes = Wakes::new(CALL | ERRANDS);
        let (call_waker, errands_waker) = (wakes.waker(CALL), wakes.waker(ERRANDS));
        poll_fn(|context| {
            wakes.poll(context, |woken| {
                if woken & CALL != 0 {
                    let ended = call.as_mut().poll(&mut Context::from_waker(&call_waker));
                    if ended.is_ready() {
                        return ended;
                    }
                }
                if woken & ERRANDS != 0 {
                    let context = &mut Context::from_waker(&errands_waker);
                    while let Poll::Ready(Some(errand)) = given.poll_recv(context) {
                        errands.push(errand);
                    }
                    errands.retain_mut(|errand| errand.as_mut().poll(context).is_pending());
                }
                Poll::Pending
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn a_call_waits_for_its_errands_and_leaves_those_that_it_does_not_need() {
        let (errands, errander) = Errands::beside();
        let (answer_to, answer) = oneshot::channel();
        let (never_to, never) = oneshot::channel::<()>();
        let call = async move {
            errands.give(async move {
                tokio::task::yield_now().await;
                answer_to.send(7).expect("the call waits");
            });
            errands.give(async move {
                std::future::pending::<()>().await;
                drop(never_to);
            });
            answer.await
        };
        assert_eq!(errander.beside(call).await, Ok(7));
        assert!(never.await.is_err());
    }

    #[tokio::test]
    async fn a_panic_is_the_end_of_the_errand_alone() {
        let (errands, errander) = Errands::beside();
        let (answer_to, answer) = oneshot::channel::<()>();
        errands.give(async move {
            let _answer_to = answer_to;
            panic!("a bug");
        });
        assert!(errander.beside(answer).await.is_err());
    }

    #[tokio::test]
    async fn an_errand_that_comes_too_late_is_dropped() {
        let (errands, errander) = Errands::beside();
        errander.beside(async {}).await;
        let (never_to, never) = oneshot::channel::<()>();
        errands.give(async move {
            never_to.send(()).expect("nobody does this");
        });
        assert!(never.await.is_err());
    }
}
