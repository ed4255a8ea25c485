//! The clock that interrupts guests: a thread that moves the engine's epoch while guests compute, and sleeps otherwise.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::Engine;

/// The length of an epoch: how long a guest computes before it lets others go on, and the grain of the CPU bound.
pub(crate) const TICK: Duration = Duration::from_millis(2);

/// Ticks without a computing guest after which the thread goes to sleep. Waking it costs a guest some microseconds, so it
/// is not done for each of many short calls.
const QUIET_TICKS: u32 = 50;

#[derive(Default)]
struct Shared {
    computing: AtomicUsize,
    asleep: AtomicBool,
    closed: AtomicBool,
}

/// Owns the thread; dropping it ends the thread.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    pub(crate) fn start(engine: Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let thread = std::thread::Builder::new()
            .name("airlock-epoch".into())
            .spawn({
                let shared = Arc::clone(&shared);
                move || shared.tick(&engine)
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Keeps the ticker going as long as the guard lives.
    pub(crate) fn computing(&self) -> Computing<'_> {
        // Either this sees that the thread sleeps, or the thread sees this before it does: both orders are sequential.
        self.shared.computing.fetch_add(1, Ordering::SeqCst);
        if self.shared.asleep.load(Ordering::SeqCst) {
            self.wake();
        }
        Computing(&self.shared.computing)
    }

    fn wake(&self) {
        if self.shared.asleep.swap(false, Ordering::SeqCst)
            && let Some(thread) = &self.thread
        {
            thread.thread().unpark();
        }
    }
}

impl Shared {
    fn tick(&self, engine: &Engine) {
        let mut quiet = 0;
        while !self.closed.load(Ordering::SeqCst) {
            std::thread::sleep(TICK);
            engine.increment_epoch();
            if self.computing.load(Ordering::SeqCst) > 0 {
                quiet = 0;
                continue;
            }
            quiet += 1;
            if quiet >= QUIET_TICKS {
                self.sleep();
                quiet = 0;
            }
        }
    }

    fn sleep(&self) {
        self.asleep.store(true, Ordering::SeqCst);
        while self.asleep.load(Ordering::SeqCst)
            && self.computing.load(Ordering::SeqCst) == 0
            && !self.closed.load(Ordering::SeqCst)
        {
            std::thread::park();
        }
        self.asleep.store(false, Ordering::SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It ends within a tick; a panic in it would have nothing to tell.
            let _ = thread.join();
        }
    }
}

/// A guest is computing.
pub(crate) struct Computing<'a>(&'a AtomicUsize);

impl Drop for Computing<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
