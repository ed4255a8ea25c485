//! The boxes that answers are made in, used one after the other.
//!
//! A connection keeps room for the future of its answer as long as it lives, and most connections only wait: so the
//! future is in a box. A box of its own for each request would be freed between things that live for long, and five
//! thousand listeners would leave five thousand gaps in the heap, too narrow for the next box: 4 kB for each of them.

use std::cell::RefCell;
use std::future::{Future, poll_fn};

use tokio_util::sync::ReusableBoxFuture;

use super::door::Answer;

/// Boxes that wait for another request, for each thread.
const WAITING: usize = 32;

thread_local! {
    /// The futures in them have come to their end, and hold nothing any more.
    static EMPTY: RefCell<Vec<ReusableBoxFuture<'static, Answer>>> = const { RefCell::new(Vec::new()) };
}

/// The same future, in a box.
pub(super) fn boxed(
    answer: impl Future<Output = Answer> + Send + 'static,
) -> impl Future<Output = Answer> + Send {
    let mut filled = Some(match EMPTY.with_borrow_mut(Vec::pop) {
        Some(mut empty) => {
            empty.set(answer);
            empty
        }
        None => ReusableBoxFuture::new(answer),
    });
    poll_fn(move |context| {
        let answer = filled.as_mut().expect("a future has one end");
        let polled = answer.poll(context);
        if polled.is_ready()
            && let Some(empty) = filled.take()
        {
            EMPTY.with_borrow_mut(|waiting| {
                if waiting.len() < WAITING {
                    waiting.push(empty);
                }
            });
        }
        polled
    })
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;
    use std::task::{Context, Waker};

    use http::Response;
    use http_body_util::{Either, Full};

    use super::*;

    /// An answer that holds `what` until it is there, or for ever.
    async fn answer(what: Arc<()>, ends: bool) -> Answer {
        if !ends {
            pending::<()>().await;
        }
        drop(what);
        Response::new(Either::Right(Full::default()))
    }

    fn empty() -> usize {
        EMPTY.with_borrow(Vec::len)
    }

    #[test]
    fn a_box_is_used_again_and_keeps_nothing_of_its_answer() {
        let what = Arc::new(());
        let context = &mut Context::from_waker(Waker::noop());
        for _ in 0..3 {
            let mut answered = Box::pin(boxed(answer(Arc::clone(&what), true)));
            assert_eq!(empty(), 0);
            assert!(answered.as_mut().poll(context).is_ready());
            assert_eq!((empty(), Arc::strong_count(&what)), (1, 1));
        }
        // A client that has left.
        let mut waiting = Box::pin(boxed(answer(Arc::clone(&what), false)));
        assert!(waiting.as_mut().poll(context).is_pending());
        drop(waiting);
        assert_eq!((empty(), Arc::strong_count(&what)), (0, 1));
    }
}
