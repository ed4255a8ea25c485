//! What sessions of the `initialize` era asked to be told: the one thing about them that no signed id can hold.
//!
//! It is kept in memory and bounded. A session that is forgotten, by age or by a restart, is told what one is told that
//! never asked.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{Level, SessionKey};

#[derive(Default)]
pub(crate) struct Wishes(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    sessions: HashMap<SessionKey, Wish>,
    /// The oldest is forgotten first.
    order: VecDeque<SessionKey>,
}

#[derive(Default)]
struct Wish {
    level: Option<Level>,
    resources: HashSet<Arc<str>>,
}

/// Together at most 32 MiB, whoever asks for what.
const SESSIONS_MAX: usize = 4096;
const RESOURCES_MAX: usize = 16;
const URI_MAX: usize = 512;

impl Wishes {
    /// The least severe of the log messages that the session wants; none if it never said.
    pub(crate) fn level(&self, session: SessionKey) -> Option<Level> {
        self.lock().sessions.get(&session)?.level
    }

    pub(crate) fn set_level(&self, session: SessionKey, level: Level) {
        self.lock().of(session).level = Some(level);
    }

    /// False when the session watches too much already, or the URI is too long to be kept.
    pub(crate) fn subscribe(&self, session: SessionKey, uri: &str) -> bool {
        let mut inner = self.lock();
        let watched = &mut inner.of(session).resources;
        if watched.contains(uri) {
            return true;
        }
        let fits = watched.len() < RESOURCES_MAX && uri.len() <= URI_MAX;
        if fits {
            watched.insert(uri.into());
        }
        fits
    }

    pub(crate) fn unsubscribe(&self, session: SessionKey, uri: &str) {
        if let Some(wish) = self.lock().sessions.get_mut(&session) {
            wish.resources.remove(uri);
        }
    }

    pub(crate) fn watches(&self, session: SessionKey, uri: &str) -> bool {
        let inner = self.lock();
        let wish = inner.sessions.get(&session);
        wish.is_some_and(|wish| wish.resources.contains(uri))
    }

    /// All that the session watches.
    pub(crate) fn watched(&self, session: SessionKey) -> Vec<Arc<str>> {
        let inner = self.lock();
        let watched = inner.sessions.get(&session).map(|wish| &wish.resources);
        watched.into_iter().flatten().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn of(&mut self, session: SessionKey) -> &mut Wish {
        if !self.sessions.contains_key(&session) {
            self.order.push_back(session);
            if self.order.len() > SESSIONS_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.sessions.remove(&oldest);
            }
        }
        self.sessions.entry(session).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(number: usize) -> SessionKey {
        SessionKey::of(number as u64)
    }

    #[test]
    fn a_session_is_told_what_it_asked_for_and_nothing_else() {
        let wishes = Wishes::default();
        assert_eq!(wishes.level(session(1)), None);
        wishes.set_level(session(1), Level::Warning);
        assert!(wishes.subscribe(session(1), "a:b"));
        assert_eq!(wishes.level(session(1)), Some(Level::Warning));
        assert_eq!(wishes.level(session(2)), None);
        assert!(wishes.watches(session(1), "a:b") && !wishes.watches(session(2), "a:b"));
        wishes.unsubscribe(session(1), "a:b");
        assert!(!wishes.watches(session(1), "a:b"));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let wishes = Wishes::default();
        for number in 0..RESOURCES_MAX {
            assert!(wishes.subscribe(session(0), &number.to_string()));
        }
        assert!(!wishes.subscribe(session(0), "more"));
        assert!(wishes.subscribe(session(0), "0"));
        assert!(!wishes.subscribe(session(1), &"x".repeat(URI_MAX + 1)));
        for number in 1..=SESSIONS_MAX {
            wishes.set_level(session(number), Level::Info);
        }
        assert_eq!(wishes.lock().sessions.len(), SESSIONS_MAX);
        assert!(wishes.watched(session(0)).is_empty());
    }
}
