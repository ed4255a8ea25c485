//! What is checked before a run begins, in Dify's order, and the beginning itself.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::answer::{self, Answer, Refusal};
use crate::apps::Mode;
use crate::behaviour::Behaviour;
use crate::drive;
use crate::files;
use crate::ids;
use crate::python::{self, pydantic};
use crate::run::Call;
use crate::state::{App, State};
use crate::stream;

/// The three ways to run an app.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Door {
    Chat,
    Completion,
    Workflow,
}

impl Door {
    /// Refuses an app of another kind.
    pub(crate) fn open_to(self, mode: Mode) -> Result<(), Refusal> {
        let wrong = |code| {
            Refusal::new(
                StatusCode::BAD_REQUEST,
                code,
                "Please check if your app mode matches the right API route.",
            )
        };
        match (self, mode) {
            (Self::Chat, Mode::Chat | Mode::AgentChat | Mode::AdvancedChat)
            | (Self::Completion, Mode::Completion)
            | (Self::Workflow, Mode::Workflow) => Ok(()),
            (Self::Chat, Mode::Completion | Mode::Workflow) => Err(wrong("not_chat_app")),
            (
                Self::Workflow,
                Mode::Chat | Mode::AgentChat | Mode::AdvancedChat | Mode::Completion,
            ) => Err(wrong("not_workflow_app")),
            (
                Self::Completion,
                Mode::Chat | Mode::AgentChat | Mode::AdvancedChat | Mode::Workflow,
            ) => Err(Refusal::app_unavailable()),
        }
    }

    /// The class that Dify's validation messages name.
    fn model(self) -> &'static str {
        match self {
            Self::Chat => "ChatRequestPayload",
            Self::Completion => "CompletionRequestPayload",
            Self::Workflow => "WorkflowRunPayload",
        }
    }
}

/// A request to run an app, its fields of the right types.
struct Payload<'a> {
    inputs: &'a Map<String, Value>,
    query: &'a str,
    conversation_id: &'a str,
    streaming: bool,
}

/// Runs an app.
pub(crate) async fn run(
    state: &Arc<State>,
    app: &App,
    door: Door,
    user: String,
    body: &Value,
) -> Result<Answer, Refusal> {
    door.open_to(app.sample.mode())?;
    let payload = Payload::read(door, body)?;
    let mode = app.sample.mode();
    let behaviour = app.behaviour();
    match &behaviour {
        Behaviour::Canned(canned) => {
            let (out, events) = stream::channel(state.seen.stream());
            let answer = answer::events(canned.status, canned.content_type, events);
            spawn(state, drive::canned(canned.clone(), out));
            return Ok(answer);
        }
        Behaviour::NotPublished if mode.is_flow() => {
            return Err(Refusal::invalid("Workflow not published"));
        }
        Behaviour::NotPublished => return Err(Refusal::app_unavailable()),
        Behaviour::Busy => {
            return Err(Refusal::invalid(format!(
                "Too many requests. Please try again later. The current maximum concurrent requests allowed for {} is 1.",
                app.id
            )));
        }
        Behaviour::Normal
        | Behaviour::Slow { .. }
        | Behaviour::Fail
        | Behaviour::PartialSuccess
        | Behaviour::Pause
        | Behaviour::Ask { .. }
        | Behaviour::EarlyErrorNoEof
        | Behaviour::EofWithoutTerminal
        | Behaviour::SilentAfterPing
        | Behaviour::RefuseKey
        | Behaviour::ApiDisabled
        | Behaviour::BadGateway => {}
    }
    if mode == Mode::AgentChat && !payload.streaming {
        return Err(Refusal::invalid(
            "Agent Chat App does not support blocking mode",
        ));
    }
    if door == Door::Chat && payload.query.is_empty() {
        return Err(Refusal::invalid("query is required"));
    }
    let known = state.has_conversation(payload.conversation_id, app.sample, &user);
    if !payload.conversation_id.is_empty() && !known && mode != Mode::AdvancedChat {
        return Err(unknown_conversation());
    }
    let form = app.form();
    let accepted = form.accept(payload.inputs).and_then(|mut inputs| {
        for value in form.files(&mut inputs) {
            *value = files::judge(state, &user, value)?;
        }
        let whole = body["files"].as_array().into_iter().flatten();
        let whole = whole.map(|mapping| files::judge(state, &user, mapping));
        let whole = whole.collect::<Result<Vec<_>, _>>()?;
        if !whole.is_empty() {
            inputs.insert("sys.files".to_owned(), whole.into());
        }
        Ok(inputs)
    });
    let inputs = match accepted {
        Ok(inputs) => inputs,
        // A flow's stream has begun by the time its worker looks at the inputs.
        Err(refusal) if payload.streaming && mode.is_flow() => {
            let (out, events) = stream::channel(state.seen.stream());
            spawn(state, async move {
                drive::refuse(mode, &refusal.message, out).await
            });
            return Ok(answer::events(StatusCode::OK, stream::CONTENT_TYPE, events));
        }
        Err(refusal) => return Err(refusal),
    };
    let (conversation_id, turn) = conversation(state, app, &user, payload.conversation_id);
    let call = Call {
        sample: app.sample,
        user,
        inputs,
        query: payload.query.to_owned(),
        conversation_id,
        turn,
        behaviour,
        hold: app.held(),
    };
    if payload.streaming {
        let (out, events) = stream::channel(state.seen.stream());
        spawn(state, drive::stream(Arc::clone(state), call, out));
        Ok(answer::events(StatusCode::OK, stream::CONTENT_TYPE, events))
    } else {
        drive::block(Arc::clone(state), call).await
    }
}

/// Follows a run that was begun before. The query names the user, as in Dify; who it is not for hears that it is unknown.
pub(crate) fn follow(
    state: &Arc<State>,
    app: &App,
    id: &str,
    query: &str,
) -> Result<Answer, Refusal> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let user = pairs.find(|(name, _)| *name == "user");
    let (_, user) = user.ok_or_else(|| Refusal::invalid("Arg user must be provided."))?;
    let found = state.find_run(id, app.sample, user).ok_or_else(|| {
        let message = "Workflow run not found";
        Refusal::new(StatusCode::NOT_FOUND, "not_found", message)
    })?;
    let (out, events) = stream::channel(state.seen.stream());
    spawn(state, drive::follow(Arc::clone(state), found, out));
    Ok(answer::events(StatusCode::OK, stream::CONTENT_TYPE, events))
}

/// A page of the app's runs, the newest first, as `GET /workflows/logs` has it.
pub(crate) fn log(state: &State, app: &App, query: &str) -> Result<Value, Refusal> {
    Door::Workflow.open_to(app.sample.mode())?;
    let number = |name: &str, default: usize| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let found = pairs.find(|(known, _)| *known == name);
        found
            .and_then(|(_, value)| value.parse().ok())
            .unwrap_or(default)
    };
    let (page, limit) = (number("page", 1), number("limit", 20));
    if !(1..=100).contains(&limit) {
        let message = format!("{limit} is not a valid limit, must be in the range [1, 100].");
        return Err(Refusal::invalid(message));
    }
    let all = state.run_details(app.sample);
    let first = (page.max(1) - 1) * limit;
    let entry = |run: &Value| {
        let listed = json!({
            "id": run["id"], "version": "2026-11-22 16:50:25.109546", "status": run["status"], "triggered_from": "app-run",
            "error": run["error"], "elapsed_time": run["elapsed_time"], "total_tokens": 0, "total_steps": run["total_steps"],
            "created_at": run["created_at"], "finished_at": run["finished_at"], "exceptions_count": 0,
        });
        json!({
            "id": ids::uuid(), "workflow_run": listed, "details": null, "created_from": "service-api",
            "created_by_role": "end_user", "created_by_account": null, "created_at": run["created_at"],
        })
    };
    let data: Vec<Value> = all.iter().skip(first).take(limit).map(entry).collect();
    Ok(json!({
        "page": page, "limit": limit, "total": all.len(), "has_more": all.len() > first + limit, "data": data,
    }))
}

/// Runs a stream to its end or to the end of the stand-in, whichever comes first.
fn spawn(state: &State, stream: impl Future<Output = ()> + Send + 'static) {
    let shutdown = state.shutdown.clone();
    tokio::spawn(async move { shutdown.run_until_cancelled(stream).await });
}

/// The conversation to go on with, and its turn. A chatflow silently begins a new one where the id is unknown,
/// deleted or another user's.
fn conversation(state: &State, app: &App, user: &str, id: &str) -> (String, u32) {
    if !app.sample.mode().has_conversations() {
        return (String::new(), 1);
    }
    match state.next_turn(id, app.sample, user) {
        Some(turn) => (id.to_owned(), turn),
        None => (state.open_conversation(app.sample, user), 1),
    }
}

fn unknown_conversation() -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "not_found",
        "Conversation Not Exists. You have requested this URI [/v1/chat-messages] but did you mean /v1/chat-messages \
         or /api/chat-messages or /v1/chat-messages/<string:task_id>/stop ?",
    )
}

impl<'a> Payload<'a> {
    fn read(door: Door, body: &'a Value) -> Result<Self, Refusal> {
        let wrong = |field: &str, problem: &str, kind: &str, value: &Value| {
            Err(Refusal::invalid(pydantic(
                door.model(),
                field,
                problem,
                kind,
                value,
            )))
        };
        let inputs = match &body["inputs"] {
            Value::Object(inputs) => inputs,
            Value::Null if body.get("inputs").is_none() => {
                return wrong("inputs", "Field required", "missing", body);
            }
            other => {
                return wrong(
                    "inputs",
                    "Input should be a valid dictionary",
                    "dict_type",
                    other,
                );
            }
        };
        let query = match &body["query"] {
            Value::String(query) => query.as_str(),
            Value::Null if door != Door::Chat => "",
            Value::Null if body.get("query").is_none() => {
                return wrong("query", "Field required", "missing", body);
            }
            other => {
                return wrong(
                    "query",
                    "Input should be a valid string",
                    "string_type",
                    other,
                );
            }
        };
        let streaming = match &body["response_mode"] {
            // Left out means blocking.
            Value::Null => false,
            Value::String(mode) if mode == "streaming" => true,
            Value::String(mode) if mode == "blocking" => false,
            other => {
                return wrong(
                    "response_mode",
                    "Input should be 'blocking' or 'streaming'",
                    "literal_error",
                    other,
                );
            }
        };
        let conversation_id = match &body["conversation_id"] {
            Value::String(id) if door == Door::Chat && !id.is_empty() && !ids::is_uuid(id) => {
                let problem = "Value error, conversation_id must be a valid UUID";
                return wrong(
                    "conversation_id",
                    problem,
                    "value_error",
                    &body["conversation_id"],
                );
            }
            Value::String(id) if door == Door::Chat => id,
            _ => "",
        };
        Ok(Self {
            inputs,
            query,
            conversation_id,
            streaming,
        })
    }
}

/// `user` of a body, which Dify asks for before anything else; a number is taken as a string.
pub(crate) fn user(body: &Value) -> Result<String, Refusal> {
    match &body["user"] {
        Value::String(user) if !user.is_empty() => Ok(user.clone()),
        Value::Null | Value::String(_) => Err(Refusal::invalid("Arg user must be provided.")),
        other => Ok(python::repr(other)),
    }
}
