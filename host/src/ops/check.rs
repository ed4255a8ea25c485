//! What a component is, and what it would change, said beforehand.

use airlock_registry::{AppRecord, Digest, Overlay};
use airlock_sandbox::wit;
use serde::{Deserialize, Serialize};

use super::error::OpError;
use super::operations::Operations;
use crate::facts::Facts;
use crate::guests::permissions::allows;
use crate::guests::{self, GuestError, Guests};
use crate::publish::difference::Difference;
use crate::publish::{Manifest, Published};

/// What a component asks for, offers and describes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GuestCheck {
    /// Its size.
    pub bytes: usize,
    /// Its name in a registry.
    pub digest: String,
    /// The names of what it imports.
    pub imports: Vec<String>,
    /// What that lets it do, in words, in the same order.
    pub permissions: Vec<String>,
    /// The names of what it exports.
    pub exports: Vec<String>,
    /// The app that it described: its short name, or none where that was a sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// What it describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub describes: Option<Manifest>,
    /// Why it does not serve that app, in its own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declines: Option<String>,
    /// What clients of that app would see change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<Difference>,
}

impl GuestCheck {
    /// Compiles a component and has it describe an app.
    ///
    /// # Errors
    /// Everything for which `airlock app guest` would refuse it, but that it declines the app.
    pub async fn of(guests: &Guests, component: Vec<u8>, app: wit::App) -> Result<Self, OpError> {
        let (bytes, digest) = (component.len(), Digest::of(&component).to_string());
        let component = guests.take_in(component).await?;
        let (describes, declines) = match guests::describe(&component, app).await {
            Ok(manifest) => (Some(manifest), None),
            Err(GuestError::Unserved(words)) => (None, Some(words)),
            Err(error) => return Err(error.into()),
        };
        let inspection = component.inspection();
        let words = inspection.imports.iter().map(|import| allows(import));
        Ok(Self {
            bytes,
            digest,
            permissions: words.map(str::to_owned).collect(),
            imports: inspection.imports.clone(),
            exports: inspection.exports.clone(),
            app: None,
            describes,
            declines,
            changes: None,
        })
    }
}

impl Operations {
    /// What would change for an app if this were its guest. Changes nothing.
    pub(super) async fn check_guest(
        &self,
        app: &AppRecord,
        component: Vec<u8>,
    ) -> Result<GuestCheck, OpError> {
        let stored = |error: serde_json::Error| OpError::Stored(error.to_string());
        let facts = Facts::of(app).map_err(stored)?;
        let told = facts.app(&app.settings);
        let mut check = GuestCheck::of(&self.guests, component, told).await?;
        check.app = Some(app.slug.clone());
        if let Some(after) = &check.describes {
            let before = Manifest::deserialize(&app.manifest).map_err(stored)?;
            let published = Published::new(after, &app.overlay)?;
            published.list()?;
            // What is served now may have been published by an older version, with other rules.
            let now = Published::new(&before, &app.overlay)
                .or_else(|_| Published::new(&before, &Overlay::default()))?;
            check.changes = Some(Difference::between(
                (&now, &before.catalogue),
                (&published, &after.catalogue),
            ));
        }
        Ok(check)
    }
}
