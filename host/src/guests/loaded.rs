//! The guests that are ready to run, within a bound in bytes of code: interpreters have some 37 MB each.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use airlock_registry::Digest;

/// Guests by digest. The one that was not asked for the longest makes room; calls that run keep theirs.
pub(super) struct Loaded<T> {
    bound: usize,
    held: Mutex<Held<T>>,
}

struct Held<T> {
    entries: HashMap<Digest, Entry<T>>,
    bytes: usize,
    /// Counts the questions, so that each entry knows its last.
    now: u64,
}

struct Entry<T> {
    guest: T,
    bytes: usize,
    asked: u64,
}

impl<T: Clone> Loaded<T> {
    pub(super) fn new(bound: usize) -> Self {
        Self {
            bound,
            held: Mutex::new(Held {
                entries: HashMap::new(),
                bytes: 0,
                now: 0,
            }),
        }
    }

    pub(super) fn get(&self, digest: &Digest) -> Option<T> {
        let held = &mut *self.lock();
        held.now += 1;
        let entry = held.entries.get_mut(digest)?;
        entry.asked = held.now;
        Some(entry.guest.clone())
    }

    /// Keeps a guest, even one that is larger than the bound alone.
    pub(super) fn put(&self, digest: Digest, guest: T, bytes: usize) {
        let held = &mut *self.lock();
        held.now += 1;
        let asked = held.now;
        let entry = Entry {
            guest,
            bytes,
            asked,
        };
        held.bytes += bytes;
        if let Some(before) = held.entries.insert(digest, entry) {
            held.bytes -= before.bytes;
        }
        while held.bytes > self.bound && held.entries.len() > 1 {
            let oldest = held.entries.iter().min_by_key(|(_, entry)| entry.asked);
            let Some(oldest) = oldest.map(|(digest, _)| *digest) else {
                return;
            };
            held.remove(&oldest);
        }
    }

    /// Lets go of all others.
    pub(super) fn retain(&self, wanted: impl Fn(&Digest) -> bool) {
        let held = &mut *self.lock();
        let unwanted: Vec<Digest> = held
            .entries
            .keys()
            .filter(|digest| !wanted(digest))
            .copied()
            .collect();
        for digest in unwanted {
            held.remove(&digest);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held<T>> {
        // Nothing between two changes of it can panic.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Held<T> {
    fn remove(&mut self, digest: &Digest) {
        if let Some(entry) = self.entries.remove(digest) {
            self.bytes -= entry.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_not_asked_for_the_longest_makes_room() {
        let digest = |name: &str| Digest::of(name.as_bytes());
        let loaded = Loaded::new(100);
        for name in ["a", "b", "c"] {
            loaded.put(digest(name), name, 33);
        }
        assert_eq!(loaded.get(&digest("a")), Some("a"));
        loaded.put(digest("d"), "d", 30);
        assert_eq!(loaded.get(&digest("b")), None, "b was asked before a");
        assert_eq!(loaded.get(&digest("c")), Some("c"));
        // The same again takes no room twice.
        loaded.put(digest("d"), "d", 30);
        assert_eq!(loaded.get(&digest("a")), Some("a"));
        // One that is larger than the bound is alone, and there.
        loaded.put(digest("large"), "large", 1_000);
        assert_eq!(loaded.get(&digest("large")), Some("large"));
        assert_eq!(loaded.get(&digest("a")), None);
        loaded.put(digest("a"), "a", 33);
        assert_eq!(loaded.get(&digest("large")), None);
        loaded.retain(|_| false);
        assert_eq!(loaded.get(&digest("a")), None);
        assert_eq!(loaded.lock().bytes, 0);
    }
}
