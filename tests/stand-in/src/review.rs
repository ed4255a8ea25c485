//! Human input: a run that waits for a form, the form's endpoints, and the run's way on with the answer.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::answer::{self, Answer, Refusal};
use crate::apps::{Mode, SampleApp};
use crate::drive;
use crate::files;
use crate::ids;
use crate::run::{Halt, Run};
use crate::state::State;
use crate::stream;

/// A form that a run waits for, or waited for.
pub(crate) struct Form {
    app: SampleApp,
    id: String,
    expires: u64,
    /// Gone once somebody has answered.
    answer: Option<oneshot::Sender<Filled>>,
}

/// What a person answered.
pub(crate) struct Filled {
    action: &'static str,
    inputs: Map<String, Value>,
}

const TITLE: &str = "Review";
/// The file that the form of an app that looks at files asks for besides.
const PROOF: &str = "proof";
const CONTENT: &str = "Go on?\n\n{{#$output.note#}}\n{{#$output.level#}}";
const LEVELS: [&str; 2] = ["low", "high"];
const ACTIONS: [(&str, &str); 2] = [("approve", "Approve"), ("reject", "Reject")];

fn inputs(app: SampleApp) -> Value {
    let mut inputs = json!([
        {"output_variable_name": "note", "type": "paragraph",
         "default": {"type": "constant", "selector": [], "value": "looks fine"}},
        {"output_variable_name": "level", "type": "select",
         "option_source": {"type": "constant", "selector": [], "value": LEVELS}},
    ]);
    if app == SampleApp::FileClerk
        && let Some(inputs) = inputs.as_array_mut()
    {
        inputs.push(json!({
            "output_variable_name": PROOF, "type": "file", "allowed_file_types": ["document", "image"],
            "allowed_file_extensions": [], "allowed_file_upload_methods": ["local_file", "remote_url"],
        }));
    }
    inputs
}

fn actions() -> Value {
    let action = |(id, title)| json!({"id": id, "title": title, "button_style": "default"});
    ACTIONS.into_iter().map(action).collect()
}

impl Run {
    /// Pauses with a form, and goes on when it is answered. Meanwhile nothing runs that could be stopped.
    pub(crate) async fn ask(&mut self, open_for: Duration) -> Result<(), Halt> {
        self.open("review1", "human-input", TITLE).await;
        self.work(self.step).await?;
        let token = ids::token();
        let (answer, answered) = oneshot::channel();
        let form = Form {
            app: self.sample,
            id: ids::uuid(),
            expires: ids::now() + open_for.as_secs(),
            answer: Some(answer),
        };
        let told = json!({
            "form_id": form.id, "node_id": "review1", "node_title": TITLE, "form_content": CONTENT,
            "inputs": inputs(self.sample), "actions": actions(), "display_in_ui": true, "form_token": token, "resolved_default_values": {},
            "expiration_time": form.expires,
        });
        self.state.put_form(token, form);
        self.workflow("human_input_required", told.clone()).await;
        self.rest(told).await;
        let filled = self.answered(answered).await?;
        self.go_on(&filled).await;
        Ok(())
    }

    /// Says that it waits, and lets go of whoever read so far.
    async fn rest(&mut self, form: Value) {
        self.state.end(&self.task_id);
        let detail = drive::detail(self, "paused", &json!({}), &Value::Null);
        self.state.note_run(&self.run_id, detail);
        let mut reason = json!({"TYPE": "human_input_required"});
        if let (Value::Object(reason), Value::Object(form)) = (&mut reason, form) {
            reason.extend(form.into_iter().filter(|(key, _)| key != "display_in_ui"));
        }
        self.say_paused(reason).await;
        let lag = self.state.options.eof_lag;
        if let Some(out) = self.out.take() {
            tokio::spawn(async move { timeout(lag, out.closed()).await });
        }
    }

    async fn answered(&mut self, mut answered: oneshot::Receiver<Filled>) -> Result<Filled, Halt> {
        let mut ping = tokio::time::interval(self.state.options.ping_every);
        ping.tick().await;
        loop {
            tokio::select! {
                // Nobody can answer a form that the stand-in has forgotten.
                filled = &mut answered => {
                    return filled.map_err(|_| Halt::Failed("the form is gone".to_owned()));
                }
                _ = ping.tick() => self.send(stream::PING).await,
            }
        }
    }

    async fn go_on(&mut self, filled: &Filled) {
        self.stop = self.state.begin(&self.task_id, self.sample, &self.user);
        let detail = drive::detail(self, "running", &json!({}), &Value::Null);
        self.state.note_run(&self.run_id, detail);
        drive::say_started(self, "resumption").await;
        if self.sample.mode() == Mode::AdvancedChat {
            // What was said before comes again; what is said from now on stands in the outputs alone.
            let said = json!({"id": self.message_id, "answer": self.answer, "from_variable_selector": ["answer1", "answer"]});
            self.message("message", said).await;
            self.answer += &format!("[{}: {}] ", filled.action, filled.inputs["note"]);
            self.resumed = true;
        }
        let node = self.open("review1", "human-input", TITLE).await;
        self.reviews
            .push(json!({"action": filled.action, "inputs": filled.inputs}));
        let told = json!({
            "node_id": "review1", "node_title": TITLE, "rendered_content": "Go on?", "action_id": filled.action,
            "action_text": filled.action, "submitted_data": filled.inputs,
        });
        self.workflow("human_input_form_filled", told).await;
        self.close_plain(node, json!(filled.inputs)).await;
    }
}

/// `POST /form/human_input/{token}`, refused in Dify's order.
pub(crate) fn submit(
    state: &State,
    app: SampleApp,
    token: &str,
    body: &Value,
) -> Result<Answer, Refusal> {
    let refused = |status, code, words: String| Refusal::new(status, code, words);
    state.with_form(token, |form| {
        let Some(form) = form.filter(|form| form.app == app) else {
            let words = format!(
                "Form not found. You have requested this URI [/v1/form/human_input/{token}] but did you mean \
                 /v1/form/human_input/<string:form_token> ?"
            );
            return Err(refused(StatusCode::NOT_FOUND, "not_found", words));
        };
        let over = StatusCode::PRECONDITION_FAILED;
        if form.answer.is_none() {
            let words = format!("This form has already been submitted by another user, form_id={}", form.id);
            return Err(refused(over, "human_input_form_submitted", words));
        }
        if form.expires <= ids::now() {
            let words = format!("This form has expired, form_id={}", form.id);
            return Err(refused(over, "human_input_form_expired", words));
        }
        let filled = read(state, app, body)
            .map_err(|words| refused(StatusCode::BAD_REQUEST, "invalid_form_data", words))?;
        if let Some(answer) = form.answer.take() {
            // A run that is gone needs no answer.
            let _ = answer.send(filled);
        }
        Ok(answer::json(StatusCode::OK, &json!({})))
    })
}

fn read(state: &State, app: SampleApp, body: &Value) -> Result<Filled, String> {
    let wanted = body["action"].as_str().unwrap_or_default();
    let action = ACTIONS.into_iter().find(|(id, _)| *id == wanted);
    let (action, _) = action.ok_or_else(|| format!("Invalid action: {wanted}"))?;
    let mut inputs = body["inputs"].as_object().cloned().unwrap_or_default();
    let file = (app == SampleApp::FileClerk).then_some(PROOF);
    let missing: Vec<&str> = ["note", "level"]
        .into_iter()
        .chain(file)
        .filter(|name| !inputs.contains_key(*name))
        .collect();
    if !missing.is_empty() {
        return Err(format!("Missing required inputs: {}", missing.join(", ")));
    }
    let level = inputs["level"].as_str().unwrap_or_default();
    if !LEVELS.contains(&level) {
        return Err(format!("Invalid value for select input 'level': {level}"));
    }
    if let Some(mapping) = file.and_then(|name| inputs.get_mut(name)) {
        let user = body["user"].as_str().unwrap_or_default();
        *mapping = files::judge(state, user, mapping).map_err(|refusal| refusal.message)?;
    }
    Ok(Filled { action, inputs })
}
