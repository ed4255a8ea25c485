//! What the operator promises of a tool's structured results: given, or learnt from runs.

use airlock_registry::OutputOverlay;
use jsonschema::Validator;
use serde_json::{Map, Value};

use super::published::OverlayFault;
use super::schema;

/// An output schema in the place of the guest's own.
#[derive(Debug)]
pub struct Promise {
    /// JSON Schema of type `object`.
    pub schema: Map<String, Value>,
    /// Was it learnt from runs?
    pub learnt: bool,
    validator: Validator,
}

impl Promise {
    /// By the rules for a guest's own output schema.
    ///
    /// # Errors
    /// [`OverlayFault::Output`].
    pub fn new(tool: &str, output: OutputOverlay) -> Result<Self, OverlayFault> {
        let validator = schema::of_object(&output.schema).map_err(|why| OverlayFault::Output {
            tool: tool.into(),
            why,
        })?;
        Ok(Self {
            schema: output.schema,
            learnt: output.learnt,
            validator,
        })
    }

    /// What of a structured result does not fit, without its values; `None` when it fits.
    #[must_use]
    pub fn broken(&self, structured: Option<&str>) -> Option<String> {
        match structured.map(serde_json::from_str) {
            Some(Ok(value)) => schema::masked(&self.validator, &value),
            Some(Err(error)) => Some(format!("it is not JSON: {error}")),
            None => Some("it is missing".into()),
        }
    }
}
