//! `resources/read` of a file that waits in the spool.

use airlock_mcp::{CallError, ReadResult};
use data_encoding::BASE64;
use serde_json::value::to_raw_value;

use super::handle::{Place, SCHEME};
use super::{Files, Owner};

impl Files {
    /// Is this a handle, whoever made it?
    #[must_use]
    pub fn is_handle(uri: &str) -> bool {
        uri.starts_with(SCHEME)
    }

    /// What is behind a handle.
    ///
    /// # Errors
    /// [`CallError::Unknown`] for a handle that means nothing here any more.
    pub async fn read(&self, owner: &Owner, uri: &str) -> Result<ReadResult, CallError> {
        let handle = self.handles.open(owner, uri).ok_or(CallError::Unknown)?;
        let place = match &handle.place {
            Place::Spool(place) => place,
            Place::Upload(_) => {
                return Err(CallError::Internal(
                    "This file was handed to the app, and this server has no copy of it to read. The handle is good as \
                     an input of the app's tool."
                        .into(),
                ));
            }
        };
        let most = self.settings.read_limit;
        if handle.size() > most {
            return Err(CallError::Internal(format!(
                "This file has more than {} MiB, which is the most that this server hands on.",
                most >> 20
            )));
        }
        // The text that it becomes is larger still.
        let _room = self.room(handle.size() * 3).ok_or_else(|| {
            CallError::Internal(
                "This server holds as many files as it may. Try again in a few seconds.".into(),
            )
        })?;
        let bytes = self
            .spool
            .get(&owner.app, place)
            .await
            .ok_or(CallError::Unknown)?;
        #[derive(serde::Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Contents<'a> {
            uri: &'a str,
            mime_type: &'a str,
            blob: String,
        }
        let contents = Contents {
            uri,
            mime_type: &handle.mime_type,
            blob: BASE64.encode(&bytes),
        };
        let contents =
            to_raw_value(&contents).map_err(|error| CallError::Internal(error.to_string()))?;
        Ok(ReadResult {
            contents: vec![contents],
            meta: None,
        })
    }
}
