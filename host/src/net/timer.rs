//! hyper's timer, for connections that live on from request to request.
//!
//! hyper makes a new deadline for the headers of each request and drops it when they are there. Making and dropping a
//! tokio timer takes the lock that the I/O driver takes as well, twice a request on a busy server. Here a connection keeps
//! one tokio timer: a deadline that is dropped leaves it running, the next one only notes when it is due, and the timer
//! finds that when it fires.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

/// Makes the sleeps of one connection, which has one at a time.
#[derive(Clone, Debug, Default)]
pub struct ConnectionTimer(Arc<Mutex<Option<Set>>>);

/// A tokio timer that is set, to a moment that may be earlier than its sleep's.
type Set = Pin<Box<tokio::time::Sleep>>;

struct ConnectionSleep {
    /// Taken when this is dropped, and by nothing else.
    set: Option<Set>,
    until: Instant,
    timer: ConnectionTimer,
}

impl ConnectionTimer {
    fn kept(&self) -> std::sync::MutexGuard<'_, Option<Set>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Timer for ConnectionTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        // One that would fire too late is no use.
        let kept = self.kept().take();
        let set = kept.filter(|set| set.deadline() <= deadline.into());
        Box::pin(ConnectionSleep {
            set: Some(set.unwrap_or_else(|| Box::pin(tokio::time::sleep_until(deadline.into())))),
            until: deadline,
            timer: self.clone(),
        })
    }
}

impl Sleep for ConnectionSleep {}

impl Future for ConnectionSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let until = self.until.into();
        let Some(set) = &mut self.set else {
            return Poll::Ready(());
        };
        loop {
            ready!(set.as_mut().poll(context));
            if tokio::time::Instant::now() >= until {
                return Poll::Ready(());
            }
            set.as_mut().reset(until);
        }
    }
}

impl Drop for ConnectionSleep {
    fn drop(&mut self) {
        *self.timer.kept() = self.set.take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_keeps_one_timer_and_every_deadline() {
        let timer = ConnectionTimer::default();
        let began = Instant::now();
        let mut first = timer.sleep(Duration::from_millis(20));
        std::future::poll_fn(|context| {
            assert!(first.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        drop(first);
        // The timer of the first one fires before this one is due.
        timer.sleep_until(began + Duration::from_millis(60)).await;
        assert!(began.elapsed() >= Duration::from_millis(60));
        // What has fired, or is set for later, is set again.
        let again = Instant::now();
        timer.sleep(Duration::from_millis(10)).await;
        assert!(again.elapsed() >= Duration::from_millis(10));
        drop(timer.sleep(Duration::from_secs(600)));
        timer.sleep(Duration::from_millis(10)).await;
        assert!(again.elapsed() < Duration::from_secs(300));
    }
}
