//! hyper's timer, for connections that live on from request to request.
//!
//! hyper sets a new deadline for the headers of each request. Moving a tokio timer takes the lock that the I/O driver
//! takes as well, twice a request on a busy server; here a deadline that moves away is only noted, and the timer that is
//! already set finds it when it fires.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

/// Makes sleeps whose deadline may move away at no cost.
#[derive(Clone, Copy, Debug)]
pub struct LazyTimer;

struct LazySleep {
    set: Pin<Box<tokio::time::Sleep>>,
    until: Instant,
}

impl Timer for LazyTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(LazySleep {
            set: Box::pin(tokio::time::sleep_until(deadline.into())),
            until: deadline,
        })
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn Sleep>>, new_deadline: Instant) {
        match sleep.as_mut().downcast_mut_pin::<LazySleep>() {
            // One that has fired, or would fire too late, has to be set again.
            Some(mut lazy) if !lazy.set.is_elapsed() && new_deadline >= lazy.until => {
                lazy.until = new_deadline;
            }
            _ => *sleep = self.sleep_until(new_deadline),
        }
    }
}

impl Sleep for LazySleep {}

impl Future for LazySleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.set.as_mut().poll(cx));
            let until = self.until.into();
            if tokio::time::Instant::now() >= until {
                return Poll::Ready(());
            }
            self.set.as_mut().reset(until);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_deadline_that_moved_away_is_kept() {
        let began = Instant::now();
        let mut sleep = LazyTimer.sleep(Duration::from_millis(20));
        LazyTimer.reset(&mut sleep, began + Duration::from_millis(60));
        sleep.as_mut().await;
        assert!(began.elapsed() >= Duration::from_millis(60));
        LazyTimer.reset(&mut sleep, Instant::now() + Duration::from_millis(10));
        let again = Instant::now();
        sleep.await;
        assert!(again.elapsed() >= Duration::from_millis(10));
    }
}
