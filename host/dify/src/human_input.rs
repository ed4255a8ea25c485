//! What a paused run waits for: a form that a person answers.

use std::fmt;

use airlock_form::Form;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::fold::is_id;
use crate::follow::Watch;
use crate::live::Live;
use crate::text::prefix;
use crate::wire::HumanInput;
use crate::{App, Error, Known, Pause, Run};

/// Bytes of a form's title and of its text that are kept: a person reads them, and the text may hold a run's whole output.
const TITLE_CAP: usize = 200;
const CONTENT_CAP: usize = 8 << 10;

/// A form that a run waits for.
#[derive(Debug, Clone)]
pub struct HumanForm {
    /// Dify's id of the form, by which two tellings of one form are told to be the same.
    pub id: String,
    /// What the author called the node that asks.
    pub title: String,
    /// The form's words in Markdown, with `{{#$output.NAME#}}` where an input belongs.
    pub content: String,
    /// Its inputs as Dify lists them, each with the default that Dify has worked out. [`Form::of_pause`] reads them.
    pub inputs: Value,
    /// The ways to answer.
    pub actions: Vec<FormAction>,
    /// Until when it can be answered, in Unix seconds.
    pub expires: Option<u64>,
    /// What answers it; none where Dify shows the form to nobody but those whom it has told of it.
    pub token: Option<FormToken>,
}

/// A way to answer: a button of the form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormAction {
    /// Dify's name of it.
    pub id: String,
    /// What a person reads.
    pub title: String,
}

/// Whoever has it can answer in a person's place. It cannot be printed, and its memory is wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct FormToken(Zeroizing<String>);

/// A person's answer, checked.
#[derive(Debug, Clone)]
pub struct FormReply {
    action: String,
    inputs: Map<String, Value>,
}

impl FormToken {
    /// None for a text that is no token: it becomes part of a path.
    pub fn new(text: &str) -> Option<Self> {
        is_id(text).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The token, to seal it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for FormToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FormToken")
    }
}

impl FormReply {
    /// Checks an answer against the form, before Dify is touched.
    ///
    /// # Errors
    /// [`Error::UnknownAction`], [`Error::InvalidInputs`].
    pub fn new(
        actions: &[String],
        inputs: &Value,
        action: &str,
        given: Map<String, Value>,
    ) -> Result<Self, Error> {
        if !actions.iter().any(|known| known == action) {
            return Err(Error::UnknownAction {
                known: actions.to_vec(),
            });
        }
        let form = Form::of_pause(inputs);
        form.check_answer(&given).map_err(Error::InvalidInputs)?;
        Ok(Self {
            action: action.to_owned(),
            inputs: given,
        })
    }

    /// The body to send. The same answer has the same body.
    pub fn body(&self, user: &str) -> Vec<u8> {
        let body = json!({"inputs": self.inputs, "action": self.action, "user": user});
        serde_json::to_vec(&body).expect("a JSON value serialises")
    }
}

impl HumanForm {
    /// Reads `human_input_required`, or a pause's reason of that kind.
    pub(crate) fn read(told: HumanInput) -> Self {
        let mut inputs = told.inputs.unwrap_or_default();
        let resolved = told.resolved_default_values.unwrap_or_default();
        for input in &mut inputs {
            let name = input["output_variable_name"].as_str().unwrap_or_default();
            if let (Some(value), Value::Object(input)) = (resolved.get(name), &mut *input) {
                input.insert(
                    "default".to_owned(),
                    json!({"type": "constant", "value": value}),
                );
            }
        }
        let actions = told.actions.unwrap_or_default().into_iter();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let action = |action: Value| {
            let id = text(&action["id"])?;
            let title = text(&action["title"]).unwrap_or_else(|| id.clone());
            Some(FormAction { id, title })
        };
        let title = told.node_title.unwrap_or_default();
        let content = told.form_content.unwrap_or_default();
        Self {
            id: told.form_id.unwrap_or_default(),
            title: prefix(&title, TITLE_CAP).to_owned(),
            content: prefix(&content, CONTENT_CAP).to_owned(),
            inputs: Value::Array(inputs),
            actions: actions.filter_map(action).collect(),
            expires: told.expiration_time,
            token: told.form_token.as_deref().and_then(FormToken::new),
        }
    }
}

/// The forms that a pause waits for: those among its reasons, where it gives any. A form is told twice, and the telling with
/// the token counts.
pub(crate) fn waiting(
    mut told: Vec<HumanForm>,
    reasons: Option<Vec<HumanInput>>,
) -> Vec<HumanForm> {
    let Some(reasons) = reasons.filter(|reasons| !reasons.is_empty()) else {
        return told;
    };
    let asked = reasons.into_iter().filter(HumanInput::is_form);
    asked
        .map(|reason| {
            let form = HumanForm::read(reason);
            let before = told.iter().position(|known| known.id == form.id);
            let before = before.map(|place| told.swap_remove(place));
            match before {
                Some(before) if form.token.is_none() => before,
                _ => form,
            }
        })
        .collect()
}

impl App {
    /// Answers a form, and goes on with its run, as [`App::follow`] does. What comes back has been taken by Dify; a refusal
    /// is an error here, and leaves the run as it was.
    ///
    /// Dropping this future before the answer is sent leaves no trace; after that the run is stopped like a dropped [`Run`].
    pub async fn answer(
        &self,
        known: &Known,
        token: &FormToken,
        reply: &FormReply,
    ) -> Result<Run, Error> {
        let slot = self.new_slot().await?;
        let mut live = Live::join(self.clone(), known, Pause::WasAnswered);
        live.put_slot(slot);
        live.subscribe().await;
        let path = format!("/form/human_input/{}", token.expose());
        let body = reply.body(&known.user);
        // From here Dify may have heard of it: if this is dropped, so is the run.
        let mut run = Run::of(live);
        match self.transport().post(self.key(), &path, body).await {
            Ok(_) => Ok(run.answered()),
            Err(error) => {
                // A stop would not reach a run that waits, but the one that somebody else has answered.
                run.leave();
                Err(error.without(token.expose()))
            }
        }
    }
}

impl Run {
    fn answered(mut self) -> Self {
        if let Some(live) = &mut self.live {
            live.watch = Some(Watch::new(Pause::WasAnswered));
        }
        self
    }
}

impl Error {
    /// The same without a secret that was part of the path.
    fn without(self, secret: &str) -> Self {
        let hide = |text: String| text.replace(secret, "…");
        match self {
            Self::Unreachable { url, cause } => Self::Unreachable {
                url: hide(url),
                cause: hide(cause),
            },
            Self::Unauthorized { url } => Self::Unauthorized { url: hide(url) },
            Self::NotDify { url, what } => Self::NotDify {
                url: hide(url),
                what: hide(what),
            },
            Self::Server { status, message } => Self::Server {
                status,
                message: hide(message),
            },
            Self::InvalidParam {
                status,
                code,
                message,
            } => Self::InvalidParam {
                status,
                code,
                message: hide(message),
            },
            other => other,
        }
    }
}
