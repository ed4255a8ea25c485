//! A call that has not outlived its request so far.

use std::{
    future::{Future, poll_fn},
    panic::AssertUnwindSafe,
    pin::Pin,
    task::{Poll, ready},
};

use futures_util::FutureExt;
use tokio::runtime::Handle;

/// Runs in the task of its request: most calls end soon, and a task of their own would have to be woken for each thing that
/// they wait for. Where this is dropped first, the call goes on in a task of its own.
#[derive(Default)]
pub(crate) struct Here(Option<Running>);

struct Running {
    call: Pin<Box<dyn Future<Output = ()> + Send>>,
    runtime: Handle,
}

impl Here {
    /// Needs a tokio runtime.
    pub(crate) fn new(call: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(Some(Running {
            call: Box::pin(AssertUnwindSafe(call).catch_unwind().map(drop)),
            runtime: Handle::current(),
        }))
    }

    /// Runs the call until it has ended, which is told once. May be cancelled and called again. As in a task of its own, a
    /// panic is the end of the call and of nothing else.
    pub(crate) async fn ended(&mut self) {
        poll_fn(|context| {
            let Some(running) = &mut self.0 else {
                return Poll::Pending;
            };
            ready!(running.call.as_mut().poll(context));
            self.0 = None;
            Poll::Ready(())
        })
        .await;
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        if let Some(Running { call, runtime }) = self.0.take() {
            runtime.spawn(call);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn a_call_outlives_what_ran_it() {
        let (go, gone) = oneshot::channel::<()>();
        let (done, ended) = oneshot::channel();
        let mut here = Here::new(async move {
            gone.await.expect("told to go");
            done.send(()).expect("awaited");
        });
        assert!(
            std::pin::pin!(here.ended())
                .as_mut()
                .poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
                .is_pending()
        );
        drop(here);
        go.send(()).expect("it still runs");
        ended.await.expect("it came to its end");
    }

    #[tokio::test]
    async fn a_panic_is_the_end_of_the_call_alone() {
        let (done, ended) = oneshot::channel::<()>();
        let mut here = Here::new(async move {
            let _done = done;
            panic!("a bug");
        });
        here.ended().await;
        assert!(ended.await.is_err());
    }
}
