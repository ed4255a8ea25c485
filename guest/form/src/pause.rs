//! The form of a run that has paused and waits for a person.

use serde_json::{Map, Value};

use crate::fault::{Fault, Rule};
use crate::field::{Field, Kind};
use crate::form::Form;

impl Form {
    /// Reads the `inputs` of Dify's `human_input_required`.
    ///
    /// Never fails, as [`Form::parse`] does not. No field counts as [`Field::required`], since an empty text is as good as
    /// another here; but Dify wants all of them, see [`Form::check_answer`].
    #[must_use]
    pub fn of_pause(inputs: &Value) -> Form {
        let inputs = inputs.as_array().into_iter().flatten();
        Form::of(inputs.filter_map(Field::of_pause))
    }

    /// Does a person's answer fit? It has a value for every field.
    ///
    /// # Errors
    /// Every field that is missing, and every input that does not fit.
    pub fn check_answer(&self, inputs: &Map<String, Value>) -> Result<(), Vec<Fault>> {
        let is_missing = |field: &&Field| match inputs.get(&field.variable) {
            None | Some(Value::Null) => true,
            Some(value) => matches!(field.kind, Kind::File(_)) && *value == "",
        };
        let missing = self.fields.iter().filter(is_missing).map(|field| Fault {
            variable: field.variable.clone(),
            rule: Rule::Missing,
        });
        let mut faults: Vec<Fault> = missing.collect();
        if let Err(wrong) = self.check(inputs) {
            faults.extend(wrong);
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults)
        }
    }
}
