//! Rows in SQLite.

use std::collections::BTreeMap;

use serde::{Serialize, de::DeserializeOwned};
use sqlx::{FromRow, SqliteConnection};

use crate::{
    app::{AppId, AppRecord},
    digest::Digest,
    snapshot::Row,
    vault::Vault,
};

/// Why the apps could not be read.
pub(crate) enum LoadError {
    /// SQLite failed.
    Storage(sqlx::Error),
    /// A row holds what nobody stored; the words say which and what.
    Damaged(String),
}

impl From<sqlx::Error> for LoadError {
    fn from(error: sqlx::Error) -> Self {
        Self::Storage(error)
    }
}

#[derive(FromRow)]
struct Columns {
    id: String,
    slug: String,
    name: String,
    mode: String,
    description: String,
    enabled: bool,
    credential_epoch: i64,
    key_fingerprint: Vec<u8>,
    sealed_key: Vec<u8>,
    sealed_address: Option<Vec<u8>>,
    guest: Option<Vec<u8>>,
    facts: String,
    manifest: String,
    described_by: String,
    overlay: String,
    settings: String,
    created_at: i64,
    updated_at: i64,
}

/// Every app. Opens each secret once, so that a registry whose secrets are damaged is refused as a whole.
pub(crate) async fn load(db: &mut SqliteConnection, vault: &Vault) -> Result<Vec<Row>, LoadError> {
    let rows: Vec<Columns> = sqlx::query_as(
        "SELECT id, slug, name, mode, description, enabled, credential_epoch, key_fingerprint, sealed_key, sealed_address,
                guest, facts, manifest, described_by, overlay, settings, created_at, updated_at
         FROM apps",
    )
    .fetch_all(db)
    .await?;
    let read = |columns: Columns| {
        let slug = columns.slug.clone();
        columns
            .into_row(vault)
            .map_err(|what| LoadError::Damaged(format!("the {what} of app {slug} cannot be read")))
    };
    rows.into_iter().map(read).collect()
}

/// Writes all of an app, new or known.
pub(crate) async fn put(db: &mut SqliteConnection, row: &Row) -> Result<(), sqlx::Error> {
    let app = &*row.record;
    sqlx::query(
        "INSERT INTO apps (id, slug, name, mode, description, enabled, credential_epoch, key_fingerprint, sealed_key,
                           sealed_address, guest, facts, manifest, described_by, overlay, settings, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
         ON CONFLICT (id) DO UPDATE SET
             name = ?3, mode = ?4, description = ?5, enabled = ?6, credential_epoch = ?7, key_fingerprint = ?8,
             sealed_key = ?9, sealed_address = ?10, guest = ?11, facts = ?12, manifest = ?13, described_by = ?14, overlay = ?15, settings = ?16, updated_at = ?18",
    )
    .bind(app.id.as_str())
    .bind(&app.slug)
    .bind(&app.name)
    .bind(&app.mode)
    .bind(&app.description)
    .bind(app.enabled)
    .bind(app.credential_epoch.cast_signed())
    .bind(&row.fingerprint[..])
    .bind(&row.sealed_key)
    .bind(&row.sealed_address)
    .bind(app.guest.map(|digest| digest.as_bytes().to_vec()))
    .bind(json(&app.facts))
    .bind(json(&app.manifest))
    .bind(&app.described_by)
    .bind(json(&app.overlay))
    .bind(json(&app.settings))
    .bind(app.created_at)
    .bind(app.updated_at)
    .execute(db)
    .await?;
    Ok(())
}

/// Deletes an app.
pub(crate) async fn remove(db: &mut SqliteConnection, id: &AppId) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM apps WHERE id = ?")
        .bind(id.as_str())
        .execute(db)
        .await?;
    Ok(())
}

/// Stores a component, once however many apps use it.
pub(crate) async fn put_component(
    db: &mut SqliteConnection,
    digest: &Digest,
    bytes: Vec<u8>,
) -> Result<(), sqlx::Error> {
    let insert =
        sqlx::query("INSERT INTO components (digest, bytes) VALUES (?, ?) ON CONFLICT DO NOTHING");
    insert
        .bind(&digest.as_bytes()[..])
        .bind(bytes)
        .execute(db)
        .await?;
    Ok(())
}

/// Deletes a component unless an app uses it.
pub(crate) async fn drop_unused_component(
    db: &mut SqliteConnection,
    digest: &Digest,
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM components WHERE digest = ?1 AND NOT EXISTS (SELECT 1 FROM apps WHERE guest = ?1)")
        .bind(&digest.as_bytes()[..])
        .execute(db)
        .await?;
    Ok(())
}

/// The bytes that are stored under `digest`.
pub(crate) async fn component(
    db: &mut SqliteConnection,
    digest: &Digest,
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    let bytes = sqlx::query_scalar("SELECT bytes FROM components WHERE digest = ?")
        .bind(&digest.as_bytes()[..]);
    bytes.fetch_optional(db).await
}

impl Columns {
    /// The error is the name of what cannot be read.
    fn into_row(self, vault: &Vault) -> Result<Row, &'static str> {
        let id = AppId::stored(self.id);
        vault
            .open_key(&id, &self.sealed_key)
            .map_err(|_| "app key")?;
        let address = match &self.sealed_address {
            Some(sealed) => Some(vault.open_address(&id, sealed).map_err(|_| "address")?),
            None => None,
        };
        let guest = self
            .guest
            .map(<[u8; 32]>::try_from)
            .transpose()
            .map_err(|_| "guest's digest")?;
        let record = AppRecord {
            id,
            slug: self.slug,
            name: self.name,
            mode: self.mode,
            description: self.description,
            enabled: self.enabled,
            credential_epoch: u64::try_from(self.credential_epoch)
                .map_err(|_| "credential's epoch")?,
            has_address: address.is_some(),
            guest: guest.map(Digest::from),
            facts: parse(&self.facts).ok_or("facts")?,
            manifest: parse(&self.manifest).ok_or("manifest")?,
            described_by: self.described_by,
            overlay: parse(&self.overlay).ok_or("overlay")?,
            settings: parse::<BTreeMap<_, _>>(&self.settings).ok_or("settings")?,
            created_at: self.created_at,
            updated_at: self.updated_at,
        };
        let mut row = Row {
            record: record.into(),
            fingerprint: self
                .key_fingerprint
                .try_into()
                .map_err(|_| "app key's fingerprint")?,
            sealed_key: self.sealed_key,
            sealed_address: self.sealed_address,
            served: None,
        };
        if self.enabled {
            row.serve(vault, &address.ok_or("address")?)
                .ok_or("address")?;
        }
        Ok(row)
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("JSON values and maps with text keys always become text")
}

fn parse<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}
