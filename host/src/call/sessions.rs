//! Which conversation each session of a client goes on with, where the operator wants that.
//!
//! Dify chooses a conversation's id, so nothing that a client carries can name it beforehand: it is remembered here, by
//! this process alone, bounded and for a time. A session that is forgotten begins anew, and its caller is told so.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use airlock_mcp::SessionKey;
use airlock_sandbox::{Failure, wit};
use serde_json::{Map, Value};

use super::service::Inner;

/// Sessions that are remembered, of all apps: some 2 MiB. The one that was silent for the longest is forgotten first.
const MOST: usize = 4096;
/// How long one is remembered after its last call.
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// Their conversations. A session's key covers the app and the epoch of its address.
#[derive(Debug, Default)]
pub struct SessionConversations(Mutex<HashMap<SessionKey, Remembered>>);

#[derive(Debug)]
struct Remembered {
    /// As clients hold it.
    handle: Box<str>,
    used: Instant,
}

impl Remembered {
    fn is_old(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.used) > KEPT
    }
}

impl SessionConversations {
    fn of(&self, session: SessionKey, now: Instant) -> Option<Box<str>> {
        let mut all = self.lock();
        let known = all.get_mut(&session)?;
        if known.is_old(now) {
            all.remove(&session);
            return None;
        }
        known.used = now;
        Some(known.handle.clone())
    }

    fn remember(&self, session: SessionKey, handle: &str, now: Instant) {
        let mut all = self.lock();
        if all.len() >= MOST && !all.contains_key(&session) {
            all.retain(|_, known| !known.is_old(now));
            let oldest = all.iter().min_by_key(|(_, known)| known.used);
            if let Some(oldest) = oldest
                .map(|(session, _)| *session)
                .filter(|_| all.len() >= MOST)
            {
                all.remove(&oldest);
            }
        }
        let known = Remembered {
            handle: handle.into(),
            used: now,
        };
        all.insert(session, known);
    }

    fn forget(&self, session: SessionKey) {
        self.lock().remove(&session);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionKey, Remembered>> {
        // Each change of it is whole, whatever happened while it was held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// What a guest is told besides its arguments, with the session that conversations follow.
    pub(super) fn extra(&self, session: Option<SessionKey>) -> String {
        let names = self.published.names();
        let Some(session) = session else {
            return names;
        };
        let mut extra: Map<String, Value> = serde_json::from_str(&names).unwrap_or_default();
        let mut about = Map::new();
        if let Some(handle) = self.shared.conversations.of(session, Instant::now()) {
            about.insert("conversation".into(), Value::String(handle.into()));
        }
        extra.insert("session".into(), about.into());
        Value::Object(extra).to_string()
    }

    /// Remembers what the session goes on with, as the guest says. Of calls that run at the same time, the last to end
    /// decides.
    pub(super) fn went_on(
        &self,
        session: SessionKey,
        ended: &Result<Result<wit::Outcome, wit::Error>, Failure>,
    ) {
        let conversations = &self.shared.conversations;
        match ended {
            Ok(Ok(wit::Outcome::Complete(complete))) => {
                let extra: Map<String, Value> =
                    serde_json::from_str(&complete.extra).unwrap_or_default();
                let handle = extra.get("conversation").and_then(Value::as_str);
                let opens = |handle: &&str| {
                    let identities = &self.shared.identities;
                    identities.open_conversation(&self.record, handle).is_some()
                };
                if let Some(handle) = handle.filter(opens) {
                    conversations.remember(session, handle, Instant::now());
                }
            }
            // The caller reads that it is gone, and need not know by which name.
            Ok(Err(wit::Error::Dify(error))) if error.code == "conversation_gone" => {
                conversations.forget(session);
            }
            Ok(_) | Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(number: u64) -> SessionKey {
        let mut key = vec![0; 32];
        key[..8].copy_from_slice(&number.to_be_bytes());
        serde_json::from_value(key.into()).expect("the bytes of a key")
    }

    #[test]
    fn a_session_is_remembered_for_a_day_after_its_last_call() {
        let conversations = SessionConversations::default();
        let mut now = Instant::now();
        conversations.remember(session(1), "h1", now);
        for _ in 0..3 {
            now += KEPT;
            assert_eq!(conversations.of(session(1), now).as_deref(), Some("h1"));
        }
        assert_eq!(conversations.of(session(2), now), None);
        now += KEPT + Duration::from_secs(1);
        assert_eq!(conversations.of(session(1), now), None);
        assert!(conversations.lock().is_empty());
    }

    #[test]
    fn the_number_of_sessions_is_bounded_and_the_most_silent_goes_first() {
        let conversations = SessionConversations::default();
        let mut now = Instant::now();
        for number in 0..MOST as u64 {
            conversations.remember(session(number), "h", now);
            now += Duration::from_secs(1);
        }
        let again = conversations.of(session(0), now);
        assert!(again.is_some(), "it speaks again");
        conversations.remember(session(MOST as u64), "h", now);
        assert_eq!(conversations.lock().len(), MOST);
        assert!(conversations.of(session(0), now).is_some());
        assert!(conversations.of(session(1), now).is_none());
    }
}
