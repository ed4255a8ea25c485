//! What is asked of an app, checked before Dify is touched.

use std::sync::Arc;

use airlock_form::Form;
use serde_json::{Map, Value, json};

use crate::{Error, Mode};

/// One run.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// The app's mode, from its [`crate::Facts`].
    pub mode: Mode,
    /// The app's input form; inputs that do not fit it never reach Dify.
    pub form: Arc<Form>,
    /// The app's variables.
    pub inputs: Map<String, Value>,
    /// What the user says; needed where [`Mode::takes_query`].
    pub query: Option<String>,
    /// Dify's id of the conversation to go on with.
    pub conversation: Option<String>,
    /// Who asks. Dify keeps conversations and uploads apart by it and never checks it, so it must not come from a caller.
    pub user: String,
    /// Files for the whole message (`sys.files`), as Dify's file mappings.
    pub files: Vec<Value>,
}

impl RunRequest {
    /// Would it be sent? For whoever has something to do first that would be in vain otherwise; files are uploaded only
    /// for a run that can begin.
    ///
    /// The check is ours because Dify's is late and loose: a workflow that lacks an input answers a stream with one
    /// `error` event and then 300 s of silence.
    ///
    /// # Errors
    /// [`Error::InvalidInputs`] or [`Error::MissingQuery`].
    pub fn check(&self) -> Result<(), Error> {
        let query = self.query.as_deref().unwrap_or_default();
        if self.mode.takes_query() && query.is_empty() {
            return Err(Error::MissingQuery);
        }
        self.checked_inputs().map(drop)
    }

    /// With the form's defaults.
    fn checked_inputs(&self) -> Result<Map<String, Value>, Error> {
        let inputs = self.form.complete(self.inputs.clone());
        self.form.check(&inputs).map_err(Error::InvalidInputs)?;
        Ok(inputs)
    }

    /// The body to send: inputs completed with the form's defaults, checked, and always streaming. The same request has
    /// the same body.
    ///
    /// # Errors
    /// As [`RunRequest::check`].
    pub fn body(&self) -> Result<Vec<u8>, Error> {
        let inputs = self.checked_inputs()?;
        let mut body = Map::new();
        body.insert("inputs".to_owned(), Value::Object(inputs));
        body.insert("response_mode".to_owned(), json!("streaming"));
        body.insert("user".to_owned(), json!(self.user));
        if !self.files.is_empty() {
            body.insert("files".to_owned(), json!(self.files));
        }
        let query = self.query.as_deref().filter(|query| !query.is_empty());
        if self.mode.takes_query() {
            body.insert("query".to_owned(), json!(query.ok_or(Error::MissingQuery)?));
            // A name costs a call of the model for each new conversation, and nobody here would read it.
            body.insert("auto_generate_name".to_owned(), json!(false));
            if let Some(conversation) = &self.conversation {
                body.insert("conversation_id".to_owned(), json!(conversation));
            }
        } else if let (Mode::Completion, Some(query)) = (&self.mode, query) {
            body.insert("query".to_owned(), json!(query));
        }
        Ok(serde_json::to_vec(&body).expect("a map of JSON values serialises"))
    }
}
