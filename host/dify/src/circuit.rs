//! A Dify that does not answer is not asked again by every call: after a few failures in a row calls fail at once, and
//! one read at a time finds out whether it is back.
//!
//! Only silence counts: connections that cannot be made, and requests on which nothing comes back in time. Whatever Dify
//! answers, a refusal too, shows that it is there.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

#[derive(Debug)]
pub(crate) struct Circuit {
    state: Mutex<State>,
    /// Failures in a row that open it.
    most: u32,
    /// How long calls fail at once before somebody tries again.
    pause: Duration,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    open_until: Option<Instant>,
    probing: bool,
}

/// May a request go out?
pub(crate) enum Pass<'a> {
    Closed,
    /// No; another try is worth it after this time.
    Open(Duration),
    /// Only to find out whether Dify is back.
    Probe(Probe<'a>),
}

/// The right to find out. Others are refused until it is dropped.
pub(crate) struct Probe<'a>(&'a Circuit);

impl Circuit {
    pub(crate) fn new(most: u32, pause: Duration) -> Self {
        Self {
            state: Mutex::default(),
            most,
            pause,
        }
    }

    pub(crate) fn pass(&self) -> Pass<'_> {
        let mut state = self.lock();
        let Some(until) = state.open_until else {
            return Pass::Closed;
        };
        let left = until.saturating_duration_since(Instant::now());
        if state.probing || !left.is_zero() {
            return Pass::Open(left.max(Duration::from_secs(1)));
        }
        state.probing = true;
        Pass::Probe(Probe(self))
    }

    /// Something came back.
    pub(crate) fn answered(&self) {
        let before = std::mem::take(&mut *self.lock());
        if before.open_until.is_some() {
            tracing::info!("Dify answers again");
        }
    }

    /// Nothing came back.
    pub(crate) fn failed(&self) {
        let mut state = self.lock();
        state.failures = state.failures.saturating_add(1);
        if state.failures < self.most {
            return;
        }
        if state.open_until.is_none() {
            tracing::warn!(
                failures = state.failures,
                pause = ?self.pause,
                "Dify does not answer: calls fail at once, and it is tried again after each pause"
            );
        }
        state.open_until = Some(Instant::now() + self.pause);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Three plain fields are whole whatever happened while they were held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        self.0.lock().probing = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(5);

    fn word(circuit: &Circuit) -> &'static str {
        match circuit.pass() {
            Pass::Closed => "closed",
            Pass::Open(_) => "open",
            Pass::Probe(_) => "probe",
        }
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_open_it_and_one_probe_at_a_time_closes_it() {
        let circuit = Circuit::new(3, PAUSE);
        circuit.failed();
        circuit.failed();
        circuit.answered();
        circuit.failed();
        circuit.failed();
        assert_eq!(word(&circuit), "closed", "never three in a row");
        circuit.failed();
        assert_eq!(word(&circuit), "open");

        tokio::time::advance(PAUSE).await;
        let probe = circuit.pass();
        assert!(matches!(probe, Pass::Probe(_)));
        assert_eq!(word(&circuit), "open", "one at a time");
        circuit.failed();
        drop(probe);
        assert_eq!(word(&circuit), "open", "it failed: another pause");

        tokio::time::advance(PAUSE).await;
        assert_eq!(word(&circuit), "probe");
        assert_eq!(
            word(&circuit),
            "probe",
            "one that was given up is made again"
        );
        circuit.answered();
        assert_eq!(word(&circuit), "closed");
    }
}
