//! Tells listening clients when an app is not what it was.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use airlock_mcp::{Change, Changes};
use airlock_registry::{AppId, AppRecord, Registry};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// Where each app's changes are told. An app keeps its place for as long as it is registered.
#[derive(Default)]
pub struct AppChanges(Mutex<HashMap<AppId, Changes>>);

impl AppChanges {
    /// Where this app's changes are told.
    #[must_use]
    pub fn of(&self, app: &AppId) -> Changes {
        self.lock().entry(app.clone()).or_default().clone()
    }

    /// Compares each state of the registry with the one before, whoever changed it, until the server stops.
    pub async fn watch(self: Arc<Self>, registry: Arc<Registry>, stop: CancellationToken) {
        let mut generation = registry.watch();
        let mut before: HashMap<AppId, Arc<AppRecord>> = HashMap::new();
        loop {
            generation.mark_unchanged();
            let snapshot = registry.snapshot();
            let now: HashMap<_, _> = snapshot
                .apps()
                .map(|app| (app.id.clone(), Arc::clone(app)))
                .collect();
            for (id, app) in &now {
                if let Some(was) = before.get(id).filter(|was| !Arc::ptr_eq(was, app)) {
                    self.tell(id, differences(was, app));
                }
            }
            self.lock().retain(|id, _| now.contains_key(id));
            before = now;
            tokio::select! {
                () = stop.cancelled() => return,
                changed = generation.changed() => if changed.is_err() { return },
            }
        }
    }

    fn tell(&self, app: &AppId, changes: Vec<Change>) {
        // Nobody has ever listened to an app that is not there.
        let Some(told) = self.lock().get(app).cloned() else {
            return;
        };
        for change in changes {
            told.tell(change);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<AppId, Changes>> {
        // A map of senders stays usable whatever happened while it was held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a client that has a copy of `was` must fetch again.
fn differences(was: &AppRecord, now: &AppRecord) -> Vec<Change> {
    let differs = |path: &str| was.manifest.pointer(path) != now.manifest.pointer(path);
    let mut changes = Vec::new();
    if differs("/tools") || was.overlay.tools != now.overlay.tools {
        changes.push(Change::Tools);
    }
    if differs("/catalogue/prompts") {
        changes.push(Change::Prompts);
    }
    if differs("/catalogue/resources") {
        changes.push(Change::Resources);
    }
    if (was.guest, &was.facts, &was.settings) != (now.guest, &now.facts, &now.settings) {
        let listed = now.manifest.pointer("/catalogue/resources/resources");
        let listed = listed.and_then(Value::as_array).into_iter().flatten();
        let uris = listed.filter_map(|resource| resource["uri"].as_str());
        changes.extend(uris.map(|uri| Change::Resource(uri.into())));
    }
    changes
}

#[cfg(test)]
mod tests {
    use airlock_registry::{AppFacts, Described, Home, MasterKey, NewApp, Secret};
    use serde_json::json;

    use super::*;

    fn described(tool: &str, prompt: &str) -> Described {
        let manifest = json!({
            "tools": [{"name": tool}],
            "catalogue": {"prompts": [{"name": prompt}], "resources": {"resources": [{"uri": "a:b"}]}}
        });
        let by = format!("{tool}{prompt}");
        Described { manifest, by }
    }

    fn facts(name: &str) -> AppFacts {
        AppFacts {
            name: name.into(),
            mode: "chat".into(),
            description: String::new(),
            facts: json!({"name": name}),
        }
    }

    #[tokio::test]
    async fn only_what_differs_is_told() {
        let home = tempfile::tempdir().expect("a temporary directory");
        let lock = Home::open(home.path())
            .and_then(|home| home.lock())
            .expect("nobody else is here");
        let key = MasterKey::load(&lock, None).expect("a new key");
        let registry = Registry::open(lock, &key).await.expect("a new registry");
        let new = NewApp {
            key: Secret::new("app-one"),
            facts: facts("One"),
            guest: None,
            described: described("run", "begin"),
            settings: Default::default(),
        };
        let first = registry.add(new).await.expect("a new app").app;
        let described_again = registry
            .set_facts(&first, facts("One"), described("run", "start"))
            .await
            .expect("nobody else changes it");
        assert_eq!(differences(&first, &described_again), [Change::Prompts]);
        let renamed = registry
            .set_facts(&described_again, facts("Two"), described("walk", "start"))
            .await
            .expect("nobody else changes it");
        assert_eq!(
            differences(&described_again, &renamed),
            [Change::Tools, Change::Resource("a:b".into())]
        );
    }
}
