//! Learns a workflow's output schema from the runs that Dify keeps, and promises it where that is wanted.

use airlock_dify::AppKey;
use airlock_registry::{AppRecord, OutputOverlay};

use super::error::OpError;
use super::operations::Operations;
use super::wire::{Learnt, Reply};
use crate::publish::{Manifest, Published, learn};

/// Runs that are looked at.
const MOST: usize = 20;
/// Runs below which what they have in common is chance.
const FEWEST: usize = 3;

impl Operations {
    pub(super) async fn learn(&self, app: &AppRecord, publish: bool) -> Result<Reply, OpError> {
        if app.mode != "workflow" {
            return Err(OpError::NotLearnt("this app is none"));
        }
        if app.guest.is_some() {
            return Err(OpError::NotLearnt(
                "the guest of this app is another, and describes its results itself",
            ));
        }
        let dify = self.dify.as_ref().ok_or(OpError::NoDify)?;
        let key: AppKey = self.registry.app_key(&app.id)?.expose().parse()?;
        let outputs = dify.app(key).latest_outputs(MOST).await;
        let outputs = outputs.map_err(|error| OpError::Dify(error.operator()))?;
        if outputs.len() < FEWEST {
            return Err(OpError::TooFewRuns {
                found: outputs.len(),
                wanted: FEWEST,
            });
        }
        let schema = learn::schema(&outputs).ok_or(OpError::NothingInCommon(outputs.len()))?;
        let stored = |error: &dyn std::fmt::Display| OpError::Stored(error.to_string());
        let manifest: Manifest =
            serde_json::from_value(app.manifest.clone()).map_err(|error| stored(&error))?;
        // The built-in guest's first tool runs the app; its other one takes a person's answers.
        let tool = manifest.tools.first().ok_or_else(|| stored(&"no tool"))?;
        let mut overlay = app.overlay.clone();
        let entry = overlay.tools.entry(tool.name.clone()).or_default();
        let name = entry.name.clone().unwrap_or_else(|| tool.name.clone());
        entry.output = Some(OutputOverlay {
            schema: schema.clone(),
            learnt: true,
            withdrawn: false,
        });
        Published::new(&manifest, &overlay)?;
        let app = if publish {
            self.registry.set_overlay(&app.id, overlay).await?
        } else {
            self.find(app.id.as_str())?
        };
        Ok(Reply::Learnt {
            app: self.view(&app),
            learnt: Learnt {
                tool: name,
                runs: outputs.len(),
                schema,
                published: publish,
            },
        })
    }
}
