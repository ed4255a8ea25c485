//! What a run waits for: Dify's form on one side, on the other a handle that a guest and its client may hold. What opens the
//! form is sealed in the handle, and with it all that a reply is checked by.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use airlock_dify::{
    Answer, App, Error, FormReply, FormToken, HumanForm, Known, Mode, Run, RunRequest,
};
use airlock_form::{Form, Kind};
use airlock_sandbox::wit;
use serde::{Deserialize, Serialize};
use serde_json::value::to_raw_value;
use serde_json::{Map, Value, json};

use super::service::Inner;
use super::translate;
use crate::files::{CallFiles, Pending};
use crate::publish::{FileInput, Many};

/// Bytes that one handle seals. Models repeat it letter by letter, and clients carry it.
const MAX_SEALED: usize = 8 << 10;

/// What a handle holds. The names are short because models repeat it.
#[derive(Serialize, Deserialize)]
struct Sealed {
    #[serde(rename = "f")]
    token: String,
    #[serde(rename = "t")]
    task: String,
    #[serde(rename = "r")]
    run: String,
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    conversation: Option<String>,
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
    #[serde(rename = "a")]
    actions: Vec<String>,
    #[serde(rename = "i")]
    inputs: Value,
}

/// A person's answer, and the run that waited for it.
pub(super) struct Answered {
    pub(super) known: Known,
    pub(super) token: FormToken,
    pub(super) reply: FormReply,
}

impl Answered {
    pub(super) async fn send(self, app: &App) -> Result<Run, Error> {
        app.answer(&self.known, &self.token, &self.reply).await
    }

    /// By which the same answer is told from another.
    pub(super) fn text(&self) -> Vec<u8> {
        let run = self.known.run.as_deref().unwrap_or_default();
        [
            b"answer\0",
            run.as_bytes(),
            b"\0",
            &self.reply.body(&self.known.user),
        ]
        .concat()
    }
}

/// What a paused run waits for, in the contract's words.
pub(super) fn of(answer: &Answer, service: &Inner) -> Value {
    let told = |form: &HumanForm| {
        let actions = form.actions.iter();
        let actions = actions.map(|action| json!({"id": action.id, "title": action.title}));
        let mut pause = json!({
            "title": form.title, "content": form.content, "inputs": form.inputs,
            "actions": actions.collect::<Vec<_>>(), "expires": form.expires,
        });
        if let Some(handle) = handle(form, answer, service) {
            pause["handle"] = handle.into();
        }
        pause
    };
    answer.forms.iter().map(told).collect()
}

/// None where nobody can answer from here.
fn handle(form: &HumanForm, answer: &Answer, service: &Inner) -> Option<String> {
    let mut inputs = form.inputs.clone();
    for input in inputs.as_array_mut().into_iter().flatten() {
        if let Value::Object(input) = input {
            input.shift_remove("default");
        }
    }
    let sealed = Sealed {
        token: form.token.as_ref()?.expose().to_owned(),
        task: answer.task_id.clone()?,
        run: answer.run_id.clone()?,
        conversation: answer.conversation.clone(),
        expires: form.expires,
        actions: form
            .actions
            .iter()
            .map(|action| action.id.clone())
            .collect(),
        inputs,
    };
    let plain = serde_json::to_vec(&sealed).ok()?;
    if plain.len() > MAX_SEALED {
        tracing::warn!(app = %service.record.slug, bytes = plain.len(), "a form is too large to be answered through a client");
        return None;
    }
    let identities = &service.shared.identities;
    Some(identities.seal_pause(&service.record, &plain))
}

/// A reply whose handle has been opened.
pub(super) struct Opened {
    known: Known,
    token: FormToken,
    actions: Vec<String>,
    inputs: Value,
    action: String,
    given: Map<String, Value>,
}

impl Opened {
    pub(super) fn new(reply: wit::Reply, service: &Inner) -> Result<Self, wit::Error> {
        let given: Map<String, Value> = serde_json::from_str(&reply.inputs).map_err(|error| {
            wit::Error::InvalidArguments(format!(
                "the inputs of a reply are not a JSON object: {error}"
            ))
        })?;
        let identities = &service.shared.identities;
        let plain = identities.open_pause(&service.record, &reply.pause);
        let sealed: Option<Sealed> = plain.and_then(|plain| serde_json::from_slice(&plain).ok());
        let opened = sealed.and_then(|sealed| Some((FormToken::new(&sealed.token)?, sealed)));
        let (token, sealed) = opened.ok_or_else(|| {
            wit::Error::InvalidArguments(
                "pause: this handle is not one of this app's, or its address has changed since; call the app again"
                    .into(),
            )
        })?;
        if sealed.expires.is_some_and(|expires| expires <= now()) {
            return Err(translate::error(&Error::FormExpired));
        }
        Ok(Self {
            known: Known {
                mode: service.mode.clone(),
                user: identities.user(&service.record),
                task: sealed.task,
                run: Some(sealed.run),
                conversation: sealed.conversation,
                asked: None,
            },
            token,
            actions: sealed.actions,
            inputs: sealed.inputs,
            action: reply.action,
            given,
        })
    }

    /// The reply's inputs as those of a run, and the files in it that Dify has to be told of. It is checked here, so that
    /// no file is handed over for a reply that does not fit.
    pub(super) fn request(
        &self,
        service: &Inner,
        files: &CallFiles,
    ) -> Result<(RunRequest, Pending), wit::Error> {
        let form = Form::of_pause(&self.inputs);
        let mut inputs = self.given.clone();
        for field in &form.fields {
            let (takes, many) = match &field.kind {
                Kind::File(takes) => (takes, None),
                Kind::FileList { files, max_items } => {
                    let most = max_items.and_then(|most| usize::try_from(most).ok());
                    (files, Some(Many { most }))
                }
                _ => continue,
            };
            let Some(value) = inputs.get_mut(&field.variable) else {
                continue;
            };
            let input = FileInput {
                name: field.variable.clone(),
                takes: takes.clone(),
                many,
            };
            let given = to_raw_value(value).expect("a JSON value is JSON");
            let taken = files.take(&input, &service.sizes, &given);
            *value = taken
                .map_err(wit::Error::InvalidArguments)?
                .unwrap_or_default();
        }
        let mut request = RunRequest {
            mode: Mode::Workflow,
            form: Arc::new(form),
            inputs,
            query: None,
            conversation: None,
            user: self.known.user.clone(),
            files: Vec::new(),
        };
        let pending = files.pending(&mut request, None, &[])?;
        self.reply(request.inputs.clone())?;
        Ok((request, pending))
    }

    pub(super) fn answered(self, inputs: Map<String, Value>) -> Result<Answered, wit::Error> {
        Ok(Answered {
            reply: self.reply(inputs)?,
            known: self.known,
            token: self.token,
        })
    }

    fn reply(&self, inputs: Map<String, Value>) -> Result<FormReply, wit::Error> {
        FormReply::new(&self.actions, &self.inputs, &self.action, inputs)
            .map_err(|error| translate::error(&error))
    }
}

fn now() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed.unwrap_or_default().as_secs()
}
