//! What one call may use, and the limiter that holds linear memory and tables to it.

use std::time::{Duration, Instant};

use wasmtime::ResourceLimiter;

use crate::error::Bound;

/// The bounds of one call. Every field has a default; an operator may set others. [`Bound`] has a name for each, and one
/// more, the stack, which is the engine's ([`crate::EngineConfig::stack`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Time that the guest itself computes; waiting for Dify is not counted. 2 s. Glue code needs microseconds.
    pub cpu: Duration,
    /// From the start of the call to its end. 1,260 s: Dify ends its own runs after 1,200.
    pub deadline: Duration,
    /// All linear memories of the call together, in bytes. 64 MiB.
    pub memory: usize,
    /// Elements of all tables of the call together. 20,000.
    pub table_elements: usize,
    /// Core instances of the guest. 256: `wit-component` makes four of a guest in Rust, and 200 of one in Python.
    pub instances: usize,
    /// Linear memories of the guest. 2.
    pub memories: usize,
    /// Tables of the guest. 8.
    pub tables: usize,
    /// Data that crosses from the guest to the host in one host call, or as its answer, in bytes. 16 MiB.
    pub to_host: usize,
    /// Data that crosses from the host to the guest in answer to one host call, in bytes. 16 MiB.
    pub from_host: usize,
    /// Handles that the guest holds at one time, to runs and to what it makes itself. 1,024.
    pub handles: usize,
    /// Text that the guest may log in one call, in bytes, and tell its client. 64 KiB for each; what comes after is
    /// dropped, and that is logged.
    pub log_bytes: usize,
    /// Lines of that text. 1,000 for each.
    pub log_lines: usize,
    /// Reports of progress in one second. 100; what comes after in that second is dropped.
    pub progress: u32,
    /// Runs of the app that the call may start or answer. 32. A guest that asks an app a few times is useful; one that
    /// asks for ever keeps Dify busy until its deadline.
    pub runs: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cpu: Duration::from_secs(2),
            deadline: Duration::from_secs(1_260),
            memory: 64 << 20,
            table_elements: 20_000,
            instances: 256,
            memories: 2,
            tables: 8,
            to_host: 16 << 20,
            from_host: 16 << 20,
            handles: 1_024,
            log_bytes: 64 << 10,
            log_lines: 1_000,
            progress: 100,
            runs: 32,
        }
    }
}

impl Limits {
    /// The bounds of `describe`: a pure function over some kilobytes needs far less than a call. Memory and tables stay,
    /// since what a guest needs to come to life it needs here too. Whatever concerns imports has no use: none works.
    #[must_use]
    pub fn describe() -> Self {
        Self {
            cpu: Duration::from_secs(1),
            deadline: Duration::from_secs(5),
            to_host: 4 << 20,
            handles: 64,
            ..Self::default()
        }
    }
}

/// wasmtime asks for each memory and table by itself; the bound is on their sum.
pub(crate) struct Limiter {
    memory: usize,
    memory_limit: usize,
    elements: usize,
    elements_limit: usize,
    instances: usize,
    memories: usize,
    tables: usize,
    /// The bound that was refused first. A guest that was refused memory traps in its own way a moment later, and the
    /// caller should read of the cause.
    pub(crate) refused: Option<Bound>,
}

impl Limiter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            memory: 0,
            memory_limit: limits.memory,
            elements: 0,
            elements_limit: limits.table_elements,
            instances: limits.instances,
            memories: limits.memories,
            tables: limits.tables,
            refused: None,
        }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.memory.saturating_add(desired.saturating_sub(current));
        if total > self.memory_limit {
            self.refused.get_or_insert(Bound::Memory(self.memory_limit));
            return Ok(false);
        }
        self.memory = total;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self
            .elements
            .saturating_add(desired.saturating_sub(current));
        if total > self.elements_limit {
            self.refused
                .get_or_insert(Bound::TableElements(self.elements_limit));
            return Ok(false);
        }
        self.elements = total;
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn memories(&self) -> usize {
        self.memories
    }

    fn tables(&self) -> usize {
        self.tables
    }
}

/// Bytes and lines that a guest may still say.
pub(crate) struct Words {
    bytes: usize,
    lines: usize,
    limits: (usize, usize),
    over: bool,
}

impl Words {
    pub(crate) fn new(limits: &Limits) -> Self {
        let limits = (limits.log_bytes, limits.log_lines);
        Self {
            bytes: limits.0,
            lines: limits.1,
            limits,
            over: false,
        }
    }

    /// May it say so many bytes, in so many lines? From the first that does not fit on, nothing more is said: half a log misleads.
    ///
    /// # Errors
    /// The bound, with the first line over it; `None` after that.
    pub(crate) fn take(&mut self, bytes: usize, lines: usize) -> Result<(), Option<Bound>> {
        if self.over {
            return Err(None);
        }
        let (bytes, lines) = (self.bytes.checked_sub(bytes), self.lines.checked_sub(lines));
        match (bytes, lines) {
            (Some(bytes), Some(lines)) => {
                (self.bytes, self.lines) = (bytes, lines);
                Ok(())
            }
            (bytes, _) => {
                self.over = true;
                Err(Some(if bytes.is_none() {
                    Bound::LogBytes(self.limits.0)
                } else {
                    Bound::LogLines(self.limits.1)
                }))
            }
        }
    }
}

/// How many reports of progress fit into the second that runs.
pub(crate) struct Pace {
    limit: u32,
    began: Instant,
    taken: u32,
    told: bool,
}

impl Pace {
    pub(crate) fn new(limit: u32) -> Self {
        Self {
            limit,
            began: Instant::now(),
            taken: 0,
            told: false,
        }
    }

    /// May it report now?
    ///
    /// # Errors
    /// The bound, the first time; `None` after that.
    pub(crate) fn take(&mut self) -> Result<(), Option<Bound>> {
        if self.taken >= self.limit && self.began.elapsed() >= Duration::from_secs(1) {
            (self.began, self.taken) = (Instant::now(), 0);
        }
        if self.taken < self.limit {
            self.taken += 1;
            return Ok(());
        }
        let first = !std::mem::replace(&mut self.told, true);
        Err(first.then_some(Bound::Progress(self.limit)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_are_bounded_in_their_sum() {
        let mut limiter = Limiter::new(&Limits {
            memory: 100,
            ..Limits::default()
        });
        assert!(limiter.memory_growing(0, 60, None).expect("no trap"));
        assert!(!limiter.memory_growing(0, 60, None).expect("no trap"));
        assert_eq!(limiter.refused, Some(Bound::Memory(100)));
        assert!(limiter.memory_growing(60, 100, None).expect("no trap"));
    }

    #[test]
    fn a_log_ends_with_the_first_line_over_either_bound() {
        let limits = Limits {
            log_bytes: 10,
            log_lines: 3,
            ..Limits::default()
        };
        let mut long = Words::new(&limits);
        assert_eq!(long.take(8, 1), Ok(()));
        assert_eq!(long.take(3, 1), Err(Some(Bound::LogBytes(10))));
        assert_eq!(long.take(0, 1), Err(None));
        let mut many = Words::new(&limits);
        for _ in 0..3 {
            assert_eq!(many.take(0, 1), Ok(()));
        }
        assert_eq!(many.take(0, 1), Err(Some(Bound::LogLines(3))));
    }

    #[test]
    fn progress_is_told_so_often_in_a_second_and_goes_on_in_the_next() {
        let mut pace = Pace::new(2);
        assert_eq!((pace.take(), pace.take()), (Ok(()), Ok(())));
        assert_eq!(pace.take(), Err(Some(Bound::Progress(2))));
        assert_eq!(pace.take(), Err(None));
        let earlier = pace.began.checked_sub(Duration::from_secs(1));
        pace.began = earlier.expect("the clock is older than a second");
        assert_eq!(pace.take(), Ok(()));
    }
}
