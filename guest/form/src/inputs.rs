use serde_json::{Map, Value};

use crate::fault::{Fault, Rule};
use crate::field::Kind;
use crate::files::Files;
use crate::form::Form;

impl Form {
    /// Dify's inputs for arguments that fit [`Form::schema`]: an address given for a file becomes Dify's file mapping,
    /// and everything else stays as it is (a mapping that somebody already made included).
    ///
    /// # Errors
    /// A [`Rule::NotAUrl`] for each variable whose file is a text but no http or https address.
    pub fn inputs(
        &self,
        mut arguments: Map<String, Value>,
    ) -> Result<Map<String, Value>, Vec<Fault>> {
        let mut faults = Vec::new();
        for field in &self.fields {
            let Some(value) = arguments.get_mut(&field.variable) else {
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
            Ok(arguments)
        } else {
            Err(faults)
        }
    }

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

fn mapping(files: &Files, value: &mut Value) -> Result<(), Rule> {
    // "" is how a client says "no file"; `check` knows whether that is allowed.
    let Value::String(url) = &*value else {
        return Ok(());
    };
    if url.is_empty() {
        return Ok(());
    }
    let scheme = url
        .split_once("://")
        .map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("http" | "https") => {
            *value = files.mapping(url);
            Ok(())
        }
        _ => Err(Rule::NotAUrl),
    }
}
