//! What one call may use, and the limiter that holds linear memory and tables to it.

use std::time::Duration;

use wasmtime::ResourceLimiter;

use crate::error::Bound;

/// The bounds of one call. Every field has a default; an operator may set others.
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
    /// Data that crosses from the guest to the host in one host call, in bytes. 16 MiB.
    pub host_call_bytes: usize,
    /// Handles that the guest holds at one time. 1,024.
    pub handles: usize,
    /// Text that the guest may log in one call, in bytes, and tell its client. 64 KiB for each; what comes after is
    /// dropped, and that is logged.
    pub log_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cpu: Duration::from_secs(2),
            deadline: Duration::from_secs(1_260),
            memory: 64 << 20,
            table_elements: 20_000,
            host_call_bytes: 16 << 20,
            handles: 1_024,
            log_bytes: 64 << 10,
        }
    }
}

impl Limits {
    /// The bounds of `describe`: a pure function over some kilobytes needs far less than a call.
    #[must_use]
    pub fn describe() -> Self {
        Self {
            cpu: Duration::from_secs(1),
            deadline: Duration::from_secs(5),
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
                .get_or_insert(Bound::Table(self.elements_limit));
            return Ok(false);
        }
        self.elements = total;
        Ok(true)
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
}
