//! The form of a run that has paused and waits for a person.

use serde_json::{Map, Value};

use crate::fault::{Fault, Rule};
use crate::field::{Field, Kind};
use crate::form::Form;

impl Form {
    /// Reads the `inputs` of Dify's `human_input_required`.
    ///
    /// Never fails, as [`Form::parse`] does not. No field counts as [`Field::required`], since an empty text is as good as
    /// another here; but Dify wants all of them, see [`Form::answer`].
    #[must_use]
    pub fn of_pause(inputs: &Value) -> Form {
        let inputs = inputs.as_array().into_iter().flatten();
        Form::of(inputs.filter_map(Field::of_pause))
    }

    /// Dify's inputs for a person's answer: a value for every field, with an address made a file mapping.
    ///
    /// # Errors
    /// Every input that does not fit, and every field that is missing.
    pub fn answer(&self, given: Map<String, Value>) -> Result<Map<String, Value>, Vec<Fault>> {
        let is_missing = |field: &&Field| match given.get(&field.variable) {
            None | Some(Value::Null) => true,
            Some(value) => matches!(field.kind, Kind::File(_)) && *value == "",
        };
        let missing = self.fields.iter().filter(is_missing).map(|field| Fault {
            variable: field.variable.clone(),
            rule: Rule::Missing,
        });
        let mut faults: Vec<Fault> = missing.collect();
        let inputs = match self.inputs(given) {
            Ok(inputs) => inputs,
            Err(wrong) => return Err([faults, wrong].concat()),
        };
        if let Err(wrong) = self.check(&inputs) {
            faults.extend(wrong);
        }
        if faults.is_empty() {
            Ok(inputs)
        } else {
            Err(faults)
        }
    }
}
