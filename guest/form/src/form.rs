use serde_json::Value;

use crate::field::Field;

/// The input form of one Dify app.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Form {
    /// The variables in the order in which Dify's own page shows them.
    pub fields: Vec<Field>,
}

impl Form {
    /// Reads `user_input_form` of Dify's `GET /parameters`.
    ///
    /// Never fails: an entry without a variable is no field, a type from a later Dify is [`crate::Kind::Other`], and an
    /// app without a form (a workflow started by a trigger) has no fields. One unknown variable must not take down the rest.
    #[must_use]
    pub fn parse(parameters: &Value) -> Form {
        let items = parameters["user_input_form"].as_array();
        Form::of(items.into_iter().flatten().filter_map(Field::parse))
    }

    /// Dify looks values up by name, so a second field of the same name has no value of its own.
    pub(crate) fn of(all: impl Iterator<Item = Field>) -> Form {
        let mut fields: Vec<Field> = Vec::new();
        for field in all {
            if !fields.iter().any(|known| known.variable == field.variable) {
                fields.push(field);
            }
        }
        Form { fields }
    }

    /// The field that fills `variable`.
    #[must_use]
    pub fn field(&self, variable: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.variable == variable)
    }
}
