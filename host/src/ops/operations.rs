//! The operations, done.

use std::collections::BTreeMap;
use std::sync::Arc;

use airlock_dify::{AppKey, Dify};
use airlock_registry::{AppRecord, Described, Digest, NewApp, Overlay, Registry, Secret};
use airlock_sandbox::Component;

use super::drift::Troubles;
use super::error::OpError;
use super::view::AppView;
use super::wire::{Operation, Reply};
use crate::addresses::Bases;
use crate::facts::{Facts, described_by};
use crate::guests::{self, Guests};
use crate::limits::{self, Own};
use crate::metrics::Metrics;
use crate::publish::Published;
use crate::settings;

/// Everything an operation needs. The running server has one; so has the CLI when no server runs.
pub struct Operations {
    /// Which apps are published.
    pub registry: Arc<Registry>,
    /// The compiled guests.
    pub guests: Guests,
    /// The Dify beside us, where one is configured.
    pub dify: Option<Dify>,
    /// Where this server is reached.
    pub bases: Bases,
    /// How a client on this host starts Airlock, for the bridge over standard input and output.
    pub program: String,
    /// What keeps apps from being used as they stand.
    pub troubles: Troubles,
    /// What is counted, of a running server.
    pub metrics: Option<Arc<Metrics>>,
}

impl Operations {
    /// Does one operation. When it returns, everything it changes has changed: the old address of an app is dead, and
    /// what ran on it has been told.
    ///
    /// # Errors
    /// [`OpError`]; nothing was changed then.
    pub async fn execute(&self, operation: Operation) -> Result<Reply, OpError> {
        let changes = operation.changes();
        let reply = self.perform(operation).await;
        if let Some(what) = changes {
            match &reply {
                Ok(reply) => tracing::info!(app = reply.slug(), what, "operation"),
                Err(error) => tracing::warn!(what, %error, "operation refused"),
            }
        }
        reply
    }

    async fn perform(&self, operation: Operation) -> Result<Reply, OpError> {
        match operation {
            Operation::Status => Ok(self.status()),
            Operation::Metrics => self.metrics(),
            Operation::List => {
                let snapshot = self.registry.snapshot();
                Ok(Reply::Apps {
                    apps: snapshot.apps().map(|app| self.view(app)).collect(),
                })
            }
            Operation::Show { app, reveal } => {
                let app = self.find(&app)?;
                let address = if reveal {
                    self.registry.address(&app.id)?
                } else {
                    None
                };
                self.one(&app, address.as_ref())
            }
            Operation::Add { key, guest } => self.add(key, guest).await,
            Operation::Enable { app } => {
                let id = self.find(&app)?.id.clone();
                let address = self.registry.enable(&id).await?;
                let app = self.find(id.as_str())?;
                self.one(&app, Some(&address))
            }
            Operation::Disable { app } => {
                let app = self.registry.disable(&self.find(&app)?.id).await?;
                self.one(&app, None)
            }
            Operation::Regenerate { app } => {
                let id = self.find(&app)?.id.clone();
                let address = self.registry.regenerate(&id).await?;
                let app = self.find(id.as_str())?;
                self.one(&app, Some(&address))
            }
            Operation::Refresh { app } => {
                let app = self.find(&app)?;
                self.refresh(&app).await
            }
            Operation::SetKey { app, key } => {
                let app = self.find(&app)?;
                self.set_key(&app, key).await
            }
            Operation::Describe { app, words } => {
                let app = self.find(&app)?;
                let overlay = super::describe::overlay(&app, words)?;
                let app = self.registry.set_overlay(&app.id, overlay).await?;
                self.one(&app, None)
            }
            Operation::Limit { app, limits } => {
                let app = self.find(&app)?;
                let overlay = super::describe::limits(&app, limits)?;
                let app = self.registry.set_overlay(&app.id, overlay).await?;
                self.one(&app, None)
            }
            Operation::Set { app, settings } => {
                let app = self.find(&app)?;
                self.set(&app, settings).await
            }
            Operation::Learn { app, publish } => {
                let app = self.find(&app)?;
                self.learn(&app, publish).await
            }
            Operation::SetGuest { app, component } => {
                let app = self.find(&app)?;
                self.set_guest(&app, component).await
            }
            Operation::CheckGuest { app, component } => {
                let app = self.find(&app)?;
                let check = self.check_guest(&app, component).await?;
                Ok(Reply::Checked { check })
            }
            Operation::Remove { app } => {
                let app = self.find(&app)?;
                self.registry.remove(&app.id).await?;
                if let Some(metrics) = &self.metrics {
                    metrics.forget(&app.slug);
                }
                self.forget_unused();
                Ok(Reply::Removed {
                    removed: app.slug.clone(),
                })
            }
        }
    }

    fn status(&self) -> Reply {
        let snapshot = self.registry.snapshot();
        Reply::Status {
            version: env!("CARGO_PKG_VERSION").into(),
            enabled: snapshot.apps().filter(|app| app.enabled).count(),
            apps: snapshot.len(),
        }
    }

    fn metrics(&self) -> Result<Reply, OpError> {
        let metrics = self.metrics.as_ref().ok_or(OpError::NoServer)?;
        let (instances, room) = self.guests.instances();
        Ok(Reply::Metrics {
            metrics: metrics.text(instances, room),
        })
    }

    pub(super) fn find(&self, word: &str) -> Result<Arc<AppRecord>, OpError> {
        Ok(Arc::clone(self.registry.snapshot().find(word)?))
    }

    pub(super) fn view(&self, app: &AppRecord) -> AppView {
        AppView {
            trouble: self.troubles.of(&app.id),
            ..AppView::new(app)
        }
    }

    fn one(&self, app: &AppRecord, address: Option<&Secret>) -> Result<Reply, OpError> {
        let mut view = self.view(app);
        if let Some(address) = address {
            let addresses = self.bases.addresses(address.expose());
            view.snippets = addresses.snippets(&app.slug, &self.program);
            view.addresses = Some(addresses);
        }
        Ok(Reply::App { app: view })
    }

    /// Asks Dify what the app is and its guest what it offers, and registers it, off.
    async fn add(&self, key: Secret, guest: Option<Vec<u8>>) -> Result<Reply, OpError> {
        let app_key: AppKey = key.expose().parse()?;
        if let Some(app) = self.registry.snapshot().by_app_key(&key) {
            return Ok(Reply::Added {
                app: self.view(app),
                existed: true,
            });
        }
        let facts = self.facts(app_key).await?;
        let component = self.candidate(guest.as_deref()).await?;
        let digest = guests::digest(guest.as_deref().map(Digest::of));
        let app = facts.app(&Default::default());
        let by = described_by(&digest, &app);
        let manifest = guests::describe(&component, app, &Own::new()).await?;
        Published::new(&manifest, &Overlay::default())?.list()?;
        let added = self
            .registry
            .add(NewApp {
                key,
                facts: facts.stored(),
                guest,
                described: described(&manifest, by),
                settings: Default::default(),
            })
            .await?;
        // An app that was added meanwhile keeps the guest it has.
        self.forget_unused();
        Ok(Reply::Added {
            app: self.view(&added.app),
            existed: added.existed,
        })
    }

    /// The facts as Dify has them now, and what the app's guest makes of them.
    async fn refresh(&self, app: &AppRecord) -> Result<Reply, OpError> {
        let key: AppKey = self.registry.app_key(&app.id)?.expose().parse()?;
        let facts = self.facts(key).await?.still(app);
        self.describe_again(app, &facts).await?;
        self.troubles.note(&app.id, None);
        let app = self.find(app.id.as_str())?;
        self.one(&app, None)
    }

    /// The new key has to lead to an app of the same mode: whether it is the same app, Dify does not tell.
    async fn set_key(&self, app: &AppRecord, key: Secret) -> Result<Reply, OpError> {
        let facts = self.facts(key.expose().parse()?).await?;
        if facts.mode != app.mode {
            return Err(OpError::OtherMode {
                was: app.mode.clone(),
                is: facts.mode,
                name: facts.name,
            });
        }
        let facts = facts.still(app);
        let described = described_from(&self.registry, &self.guests, app, &facts).await?;
        let app = self
            .registry
            .set_key(app, key, facts.stored(), described)
            .await?;
        self.troubles.note(&app.id, None);
        self.one(&app, None)
    }

    /// The guest has described the app with its new settings before anything changes.
    async fn set(
        &self,
        app: &AppRecord,
        changes: BTreeMap<String, Option<String>>,
    ) -> Result<Reply, OpError> {
        let mut settings = app.settings.clone();
        for (name, value) in changes {
            match value {
                Some(value) => {
                    settings::check(&name, &value, app.guest.is_none())?;
                    settings.insert(name, value);
                }
                None => drop(settings.remove(&name)),
            }
        }
        let facts = Facts::of(app).map_err(|error| OpError::Stored(error.to_string()))?;
        let wanted = AppRecord {
            settings: settings.clone(),
            ..app.clone()
        };
        let described = described_from(&self.registry, &self.guests, &wanted, &facts).await?;
        let app = self.registry.set_settings(app, settings, described).await?;
        self.one(&app, None)
    }

    /// What Dify says of the app behind `key`.
    async fn facts(&self, key: AppKey) -> Result<Facts, OpError> {
        let dify = self.dify.as_ref().ok_or(OpError::NoDify)?;
        let facts = dify.app(key).facts().await;
        Ok(facts
            .map_err(|error| OpError::Dify(error.operator()))?
            .into())
    }

    /// A component on trial, or the built-in guest, ready to run.
    async fn candidate(&self, component: Option<&[u8]>) -> Result<Component, OpError> {
        Ok(match component {
            Some(bytes) => self.guests.take_in(bytes.to_vec()).await?,
            None => self.guests.component(&self.registry, None).await?,
        })
    }

    /// The new component is compiled and has described the app before anything changes.
    async fn set_guest(
        &self,
        app: &AppRecord,
        component: Option<Vec<u8>>,
    ) -> Result<Reply, OpError> {
        let compiled = self.candidate(component.as_deref()).await?;
        let facts = Facts::of(app).map_err(|error| OpError::Stored(error.to_string()))?;
        let told = facts.app(&app.settings);
        let digest = guests::digest(component.as_deref().map(Digest::of));
        let by = described_by(&digest, &told);
        let manifest = guests::describe(&compiled, told, &limits::own(&app.overlay)).await?;
        Published::new(&manifest, &app.overlay)?.list()?;
        let app = self
            .registry
            .set_guest(app, component, described(&manifest, by))
            .await?;
        self.forget_unused();
        self.one(&app, None)
    }

    /// Has every app described again whose guest or facts are not those of its stored manifest: after an update of
    /// Airlock, for instance. Asks no Dify. An app that fails keeps what it has, and the log says so.
    pub async fn describe_outdated(&self) {
        for app in self.registry.snapshot().apps() {
            let Ok(facts) = Facts::of(app) else {
                tracing::warn!(app = %app.slug, "the stored facts of this app cannot be read; remove it and add it again");
                continue;
            };
            let by = described_by(&guests::digest(app.guest), &facts.app(&app.settings));
            if by == app.described_by {
                continue;
            }
            if let Err(error) = self.describe_again(app, &facts).await {
                tracing::warn!(app = %app.slug, %error, "this app keeps its old description");
            }
        }
    }

    pub(super) async fn describe_again(
        &self,
        app: &AppRecord,
        facts: &Facts,
    ) -> Result<Arc<AppRecord>, OpError> {
        describe_again(&self.registry, &self.guests, app, facts).await
    }

    fn forget_unused(&self) {
        let snapshot = self.registry.snapshot();
        self.guests.retain(|digest| {
            snapshot
                .apps()
                .any(|app| app.guest.as_ref() == Some(digest))
        });
    }
}

fn described(manifest: &crate::publish::Manifest, by: String) -> Described {
    Described {
        manifest: serde_json::to_value(manifest).expect("a manifest is plain data"),
        by,
    }
}

/// What an app's guest makes of these facts, which can be published with the operator's words.
async fn described_from(
    registry: &Registry,
    guests: &Guests,
    app: &AppRecord,
    facts: &Facts,
) -> Result<Described, OpError> {
    let component = guests.component(registry, app.guest).await?;
    let told = facts.app(&app.settings);
    let by = described_by(&guests::digest(app.guest), &told);
    let manifest = guests::describe(&component, told, &limits::own(&app.overlay)).await?;
    Published::new(&manifest, &app.overlay)?.list()?;
    Ok(described(&manifest, by))
}

/// Has an app's guest describe it from these facts, and stores both.
///
/// # Errors
/// [`OpError`]; the app keeps what it has then.
pub(crate) async fn describe_again(
    registry: &Registry,
    guests: &Guests,
    app: &AppRecord,
    facts: &Facts,
) -> Result<Arc<AppRecord>, OpError> {
    let described = described_from(registry, guests, app, facts).await?;
    Ok(registry.set_facts(app, facts.stored(), described).await?)
}
