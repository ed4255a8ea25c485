use serde_json::{Map, Value};

use crate::form::Form;

impl Form {
    /// Adds the default of every variable that is absent or null, hidden ones included.
    ///
    /// Dify applies a default only to optional variables, only in workflows and chatflows, and fails over an object that
    /// it stored as text: whoever reads the form's default in the schema would otherwise not get it.
    #[must_use]
    pub fn complete(&self, mut inputs: Map<String, Value>) -> Map<String, Value> {
        for field in &self.fields {
            let Some(default) = &field.default else {
                continue;
            };
            let value = inputs.entry(field.variable.as_str()).or_insert(Value::Null);
            if value.is_null() {
                *value = default.clone();
            }
        }
        inputs
    }
}
