//! The form of a run that has paused and waits for a person.

use serde_json::{Map, Value, json};

use crate::fault::{Fault, Rule};
use crate::field::{Field, Kind};
use crate::files::{FileKind, Files};
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
        let inputs = match self.addressed(given) {
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

    /// With a mapping for each address that is given for a file: these forms take files by their addresses alone.
    fn addressed(&self, mut given: Map<String, Value>) -> Result<Map<String, Value>, Vec<Fault>> {
        let mut faults = Vec::new();
        for field in &self.fields {
            let Some(value) = given.get_mut(&field.variable) else {
                continue;
            };
            let mapped = match &field.kind {
                Kind::File(files) => mapping(files, value),
                Kind::FileList { files, .. } => value
                    .as_array_mut()
                    .into_iter()
                    .flatten()
                    .try_for_each(|item| mapping(files, item)),
                Kind::Text { .. }
                | Kind::Select { .. }
                | Kind::Number
                | Kind::Checkbox
                | Kind::JsonObject { .. }
                | Kind::External
                | Kind::Other(_) => Ok(()),
            };
            if let Err(rule) = mapped {
                faults.push(Fault {
                    variable: field.variable.clone(),
                    rule,
                });
            }
        }
        if faults.is_empty() {
            Ok(given)
        } else {
            Err(faults)
        }
    }
}

fn mapping(files: &Files, value: &mut Value) -> Result<(), Rule> {
    // "" is how a client says "no file"; `check` knows whether that is allowed.
    let Some(url) = value.as_str().filter(|url| !url.is_empty()) else {
        return Ok(());
    };
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    if !scheme.is_some_and(|it| it.eq_ignore_ascii_case("http") || it.eq_ignore_ascii_case("https"))
    {
        return Err(Rule::Kind {
            expected: "an http or https address",
            got: "another text",
        });
    }
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let name = path.rsplit('/').next().unwrap_or(path);
    let kind = files.mapping_type(FileKind::of_name(name));
    *value = json!({ "type": kind, "transfer_method": "remote_url", "url": url });
    Ok(())
}
