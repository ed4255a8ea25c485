//! What a workflow has put out before, as Dify keeps it.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::fold::is_id;
use crate::{App, Error};

/// Entries of the log that are looked through; Dify gives no more at once.
const PAGE: usize = 100;

#[derive(Deserialize)]
struct Log {
    data: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    workflow_run: Option<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    id: Option<String>,
    status: Option<String>,
}

impl App {
    /// The outputs of a workflow's latest runs that went well, whoever asked for them, the newest first: `most` of those
    /// among the last hundred. One read for each, one after the other.
    ///
    /// # Errors
    /// Dify's refusal, or that it cannot be asked. A run that it has forgotten meanwhile is passed over.
    pub async fn latest_outputs(&self, most: usize) -> Result<Vec<Map<String, Value>>, Error> {
        let log: Log = {
            let _slot = self.brief_slot().await?;
            let path = format!("/workflows/logs?page=1&limit={PAGE}");
            self.transport().get(self.key(), &path).await?.json()?
        };
        let listed = log.data.into_iter().filter_map(|entry| entry.workflow_run);
        let went_well = listed.filter(|run| {
            // One that took an error branch is answered like any other.
            matches!(
                run.status.as_deref(),
                Some("succeeded" | "partial-succeeded")
            )
        });
        let ids = went_well.filter_map(|run| run.id.filter(|id| is_id(id)));
        let mut outputs = Vec::new();
        for id in ids.take(most) {
            let _slot = self.brief_slot().await?;
            match self.run_state(&id).await {
                Ok(state) => outputs.extend(state.outputs),
                Err(Error::RunGone { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(outputs)
    }
}
