//! Which apps there are, and on which address each answers.

use std::sync::Arc;

use super::{Plan, Registry, address_of, changed, named, unix_seconds};
use crate::{
    app::{Added, AppFacts, AppId, AppRecord, NewApp},
    bounds,
    error::Error,
    overlay::Overlay,
    secret::Secret,
    slug::slug,
    snapshot::{Change, Row, Snapshot},
    vault::Vault,
};

impl Registry {
    /// Registers an app, off. A key that is registered already changes nothing, so that the same environment can be given
    /// at every start.
    ///
    /// # Errors
    /// [`Error::BadAppKey`], [`Error::TooLarge`], [`Error::TooMany`], [`Error::Storage`].
    pub async fn add(&self, new: NewApp) -> Result<Added, Error> {
        bounds::app_key(&new.key)?;
        bounds::facts(&new.facts)?;
        bounds::described(&new.described)?;
        bounds::settings(&new.settings)?;
        let component = named(new.guest)?;
        self.change(move |now, vault| {
            if let Some(app) = now.by_app_key(&new.key) {
                return Ok(Plan::nothing(Added {
                    app: Arc::clone(app),
                    existed: true,
                }));
            }
            if now.len() >= bounds::MAX_APPS {
                return Err(Error::TooMany {
                    what: "apps",
                    limit: bounds::MAX_APPS,
                });
            }
            let id = unused_id(now);
            let created_at = unix_seconds();
            let AppFacts {
                name,
                mode,
                description,
                facts,
            } = new.facts;
            let record = AppRecord {
                slug: slug(&name, &mode, |word| now.has_slug(word)),
                name,
                mode,
                description,
                enabled: false,
                credential_epoch: 1,
                has_address: false,
                guest: component.as_ref().map(|(digest, _)| *digest),
                facts,
                manifest: new.described.manifest,
                described_by: new.described.by,
                overlay: Overlay::default(),
                settings: new.settings,
                created_at,
                updated_at: created_at,
                id: id.clone(),
            };
            let row = Row {
                record: Arc::new(record),
                fingerprint: vault.fingerprint(&new.key),
                sealed_key: vault.seal_key(&id, &new.key),
                sealed_address: None,
                served: None,
            };
            let added = Added {
                app: Arc::clone(&row.record),
                existed: false,
            };
            Ok(Plan {
                component,
                ..Plan::put(row, added)
            })
        })
        .await
    }

    /// Publishes an app: the first time on a new address, later on the one that it had. Answers the address's code.
    ///
    /// # Errors
    /// [`Error::UnknownApp`], [`Error::Storage`].
    pub async fn enable(&self, id: &AppId) -> Result<Secret, Error> {
        let id = id.clone();
        self.change(move |now, vault| {
            let row = now.row(&id)?;
            let known = address_of(row, vault)?;
            if let Some(address) = known.as_ref().filter(|_| row.record.enabled) {
                return Ok(Plan::nothing(address.clone()));
            }
            let address = known.unwrap_or_else(Vault::new_address);
            let mut row = row.with_record(AppRecord {
                enabled: true,
                has_address: true,
                ..changed(row)
            });
            row.sealed_address = Some(vault.seal_address(&id, &address));
            row.serve(vault, &address).ok_or(Error::Unsealable)?;
            Ok(Plan::put(row, address))
        })
        .await
    }

    /// Takes an app off its address, which it keeps for the next [`enable`](Self::enable).
    ///
    /// # Errors
    /// [`Error::UnknownApp`], [`Error::Storage`].
    pub async fn disable(&self, id: &AppId) -> Result<Arc<AppRecord>, Error> {
        let id = id.clone();
        self.change(move |now, _| {
            let row = now.row(&id)?;
            if !row.record.enabled {
                return Ok(Plan::nothing(Arc::clone(&row.record)));
            }
            let mut row = row.with_record(AppRecord {
                enabled: false,
                ..changed(row)
            });
            row.served = None;
            let record = Arc::clone(&row.record);
            Ok(Plan::put(row, record))
        })
        .await
    }

    /// Replaces an app's address and answers the new code. The old one is dead for ever; a disabled app stays disabled.
    ///
    /// # Errors
    /// [`Error::UnknownApp`], [`Error::NoAddress`] for an app that was never enabled, [`Error::Storage`].
    pub async fn regenerate(&self, id: &AppId) -> Result<Secret, Error> {
        let id = id.clone();
        self.change(move |now, vault| {
            let row = now.row(&id)?;
            if !row.record.has_address {
                return Err(Error::NoAddress);
            }
            let address = Vault::new_address();
            let credential_epoch = row.record.credential_epoch + 1;
            let mut row = row.with_record(AppRecord {
                credential_epoch,
                ..changed(row)
            });
            row.sealed_address = Some(vault.seal_address(&id, &address));
            if row.record.enabled {
                row.serve(vault, &address).ok_or(Error::Unsealable)?;
            }
            Ok(Plan::put(row, address))
        })
        .await
    }

    /// Deletes an app, its address and its key, and its component if no other app uses it.
    ///
    /// # Errors
    /// [`Error::UnknownApp`], [`Error::Storage`].
    pub async fn remove(&self, id: &AppId) -> Result<(), Error> {
        let id = id.clone();
        self.change(move |now, _| {
            now.row(&id)?;
            Ok(Plan {
                change: Some(Change::Remove(id)),
                component: None,
                answer: (),
            })
        })
        .await
    }
}

fn unused_id(now: &Snapshot) -> AppId {
    loop {
        let id = AppId::random();
        if now.get(id.as_str()).is_none() {
            return id;
        }
    }
}
