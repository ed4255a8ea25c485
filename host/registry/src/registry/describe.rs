//! What is said of an app, and which guest says it. None of this touches the app's address: running calls go on.
//!
//! Describing takes time, and a stored manifest must belong to the component, facts and settings that it is stored with.
//! So these operations take the record that the caller worked from, and answer [`Error::Changed`] if one of the three is
//! another by now.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value};

use super::{Plan, Registry, changed, named};
use crate::{
    app::{AppFacts, AppId, AppRecord, Described},
    bounds,
    digest::Digest,
    error::Error,
    overlay::Overlay,
    secret::Secret,
    snapshot::{Row, Snapshot},
};

impl Registry {
    /// Replaces the operator's words and pins.
    ///
    /// # Errors
    /// [`Error::UnknownApp`], [`Error::TooLarge`], [`Error::Storage`].
    pub async fn set_overlay(&self, id: &AppId, overlay: Overlay) -> Result<Arc<AppRecord>, Error> {
        bounds::overlay(&overlay)?;
        let id = id.clone();
        self.change(move |now, _| edited(now.row(&id)?, None, |app| app.overlay = overlay))
            .await
    }

    /// Takes back the schema that was learnt of a tool's results, because one did not fit it.
    ///
    /// # Errors
    /// [`Error::Changed`] where it is another by now, or none; [`Error::UnknownApp`], [`Error::Storage`].
    pub async fn withdraw_output(
        &self,
        id: &AppId,
        tool: &str,
        learnt: &Map<String, Value>,
    ) -> Result<Arc<AppRecord>, Error> {
        let (id, tool, learnt) = (id.clone(), tool.to_owned(), learnt.clone());
        self.change(move |now, _| {
            let row = now.row(&id)?;
            let mut overlay = row.record.overlay.clone();
            let output = overlay
                .tools
                .get_mut(&tool)
                .and_then(|it| it.output.as_mut());
            let output = output
                .filter(|output| output.learnt && !output.withdrawn && output.schema == learnt)
                .ok_or(Error::Changed)?;
            output.withdrawn = true;
            edited(row, None, |app| app.overlay = overlay)
        })
        .await
    }

    /// Gives an app another guest: a component's bytes, or `None` for the one built into Airlock.
    ///
    /// # Errors
    /// [`Error::UnknownApp`], [`Error::Changed`], [`Error::TooLarge`], [`Error::Storage`].
    pub async fn set_guest(
        &self,
        before: &AppRecord,
        guest: Option<Vec<u8>>,
        described: Described,
    ) -> Result<Arc<AppRecord>, Error> {
        bounds::described(&described)?;
        let component = named(guest)?;
        let digest = component.as_ref().map(|(digest, _)| *digest);
        self.describe(before, component, move |app| {
            app.guest = digest;
            described_as(app, described);
        })
        .await
    }

    /// Notes what Dify says of an app now, and what its guest makes of it. The slug stays.
    ///
    /// # Errors
    /// [`Error::UnknownApp`], [`Error::Changed`], [`Error::TooLarge`], [`Error::Storage`].
    pub async fn set_facts(
        &self,
        before: &AppRecord,
        facts: AppFacts,
        described: Described,
    ) -> Result<Arc<AppRecord>, Error> {
        bounds::facts(&facts)?;
        bounds::described(&described)?;
        self.describe(before, None, move |app| {
            facts_as(app, facts);
            described_as(app, described);
        })
        .await
    }

    /// Gives an app another key of Dify's, with what Dify says of the app behind it and what its guest makes of that.
    ///
    /// # Errors
    /// [`Error::UnknownApp`], [`Error::Changed`], [`Error::BadAppKey`], [`Error::KeyTaken`], [`Error::TooLarge`],
    /// [`Error::Storage`].
    pub async fn set_key(
        &self,
        before: &AppRecord,
        key: Secret,
        facts: AppFacts,
        described: Described,
    ) -> Result<Arc<AppRecord>, Error> {
        bounds::app_key(&key)?;
        bounds::facts(&facts)?;
        bounds::described(&described)?;
        let before = before.clone();
        self.change(move |now, vault| {
            if let Some(other) = now.by_app_key(&key).filter(|app| app.id != before.id) {
                return Err(Error::KeyTaken {
                    slug: other.slug.clone(),
                });
            }
            let row = unchanged(now, &before)?;
            let mut record = changed(row);
            facts_as(&mut record, facts);
            described_as(&mut record, described);
            let row = Row {
                fingerprint: vault.fingerprint(&key),
                sealed_key: vault.seal_key(&before.id, &key),
                ..row.with_record(record)
            };
            let record = Arc::clone(&row.record);
            Ok(Plan::put(row, record))
        })
        .await
    }

    /// Replaces what the operator tells the guest, and what the guest makes of it.
    ///
    /// # Errors
    /// [`Error::UnknownApp`], [`Error::Changed`], [`Error::TooLarge`], [`Error::TooMany`], [`Error::Storage`].
    pub async fn set_settings(
        &self,
        before: &AppRecord,
        settings: BTreeMap<String, String>,
        described: Described,
    ) -> Result<Arc<AppRecord>, Error> {
        bounds::settings(&settings)?;
        bounds::described(&described)?;
        self.describe(before, None, move |app| {
            app.settings = settings;
            described_as(app, described);
        })
        .await
    }

    async fn describe(
        &self,
        before: &AppRecord,
        component: Option<(Digest, Vec<u8>)>,
        edit: impl FnOnce(&mut AppRecord) + Send + 'static,
    ) -> Result<Arc<AppRecord>, Error> {
        let before = before.clone();
        self.change(move |now, _| edited(unchanged(now, &before)?, component, edit))
            .await
    }
}

/// The app's row, while the app is what it was when its guest described it.
fn unchanged<'a>(now: &'a Snapshot, before: &AppRecord) -> Result<&'a Row, Error> {
    let row = now.row(&before.id)?;
    let app = &*row.record;
    let basis = (before.guest, &before.facts, &before.settings);
    if basis == (app.guest, &app.facts, &app.settings) {
        Ok(row)
    } else {
        Err(Error::Changed)
    }
}

/// A change that leaves the address alone.
fn edited(
    row: &Row,
    component: Option<(Digest, Vec<u8>)>,
    edit: impl FnOnce(&mut AppRecord),
) -> Result<Plan<Arc<AppRecord>>, Error> {
    let mut record = changed(row);
    edit(&mut record);
    let row = row.with_record(record);
    let record = Arc::clone(&row.record);
    Ok(Plan {
        component,
        ..Plan::put(row, record)
    })
}

fn facts_as(app: &mut AppRecord, facts: AppFacts) {
    AppFacts {
        name: app.name,
        mode: app.mode,
        description: app.description,
        facts: app.facts,
    } = facts;
}

fn described_as(app: &mut AppRecord, described: Described) {
    Described {
        manifest: app.manifest,
        by: app.described_by,
    } = described;
}
