//! From a path to its endpoint, and the checks that every endpoint shares.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Parts;
use http::{Method, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::answer::{self, Answer, Refusal};
use crate::behaviour::Behaviour;
use crate::calls::{self, Door};
use crate::files;
use crate::review;
use crate::seen::{Request, Stop};
use crate::state::{App, State};

/// The largest request body; above Dify's own limit for a file, so that no legitimate test meets it.
const MAX_BODY: usize = 17 << 20;

/// What a path leads to.
enum Endpoint<'a> {
    Info,
    Parameters,
    Meta,
    Site,
    Run(Door),
    Stop(Door, &'a str),
    RunDetail(&'a str),
    Logs,
    Events(&'a str),
    Upload,
    Form(&'a str),
}

impl<'a> Endpoint<'a> {
    fn of(path: &'a str) -> Option<Self> {
        let segments: Vec<&str> = path.strip_prefix("/v1/")?.split('/').collect();
        match segments.as_slice() {
            ["info"] => Some(Self::Info),
            ["parameters"] => Some(Self::Parameters),
            ["meta"] => Some(Self::Meta),
            ["site"] => Some(Self::Site),
            ["chat-messages"] => Some(Self::Run(Door::Chat)),
            ["completion-messages"] => Some(Self::Run(Door::Completion)),
            ["workflows", "run"] => Some(Self::Run(Door::Workflow)),
            ["chat-messages", task, "stop"] => Some(Self::Stop(Door::Chat, task)),
            ["completion-messages", task, "stop"] => Some(Self::Stop(Door::Completion, task)),
            ["workflows", "tasks", task, "stop"] => Some(Self::Stop(Door::Workflow, task)),
            ["files", "upload"] => Some(Self::Upload),
            ["workflows", "run", id] => Some(Self::RunDetail(id)),
            ["workflows", "logs"] => Some(Self::Logs),
            ["form", "human_input", token] => Some(Self::Form(token)),
            ["workflow", id, "events"] => Some(Self::Events(id)),
            _ => None,
        }
    }

    fn method(&self) -> Method {
        match self {
            Self::Info
            | Self::Parameters
            | Self::Meta
            | Self::Site
            | Self::RunDetail(_)
            | Self::Logs
            | Self::Events(_) => Method::GET,
            Self::Run(_) | Self::Stop(..) | Self::Upload | Self::Form(_) => Method::POST,
        }
    }
}

/// Answers one request.
pub(crate) async fn answer(state: Arc<State>, request: http::Request<Incoming>) -> Answer {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MAX_BODY).collect().await else {
        let message = "The data value transmitted exceeds the capacity limit.";
        return Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "request_entity_too_large",
            message,
        )
        .into();
    };
    let body = body.to_bytes();
    let json: Option<Arc<Value>> = serde_json::from_slice(&body).ok().map(Arc::new);
    let key = app_key(&head);
    let app = key.as_ref().ok().and_then(|key| state.app_of_key(key));
    record(&state, &head, app, json.as_ref());
    if app.is_some_and(|app| app.behaviour() == Behaviour::BadGateway) {
        return answer::bad_gateway_page();
    }
    let path = head.uri.path();
    if path == "/health" {
        let health = json!({"pid": std::process::id(), "status": "ok", "version": answer::VERSION});
        return answer::json(StatusCode::OK, &health);
    }
    if path.starts_with("/files/") {
        return files::download(&state, path, head.uri.query().unwrap_or_default());
    }
    let known =
        |endpoint: &Endpoint<'_>| state.options.events || !matches!(endpoint, Endpoint::Events(_));
    let Some(endpoint) = Endpoint::of(path).filter(known) else {
        return answer::not_found_page();
    };
    if endpoint.method() != head.method {
        let message = "The method is not allowed for the requested URL.";
        return Refusal::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            message,
        )
        .into();
    }
    let asked = Asked {
        head: &head,
        json,
        body,
    };
    serve(&state, endpoint, key, app, asked)
        .await
        .unwrap_or_else(Into::into)
}

/// A request to an endpoint.
struct Asked<'a> {
    head: &'a Parts,
    json: Option<Arc<Value>>,
    body: Bytes,
}

impl Asked<'_> {
    /// The body, or Dify's refusal of one that it cannot read.
    fn json(&self) -> Result<&Value, Refusal> {
        let content_type = self
            .head
            .headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        if !content_type
            .unwrap_or_default()
            .starts_with("application/json")
        {
            return Err(Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "Did not attempt to load JSON data because the request Content-Type was not 'application/json'.",
            ));
        }
        match self.json.as_deref() {
            Some(json @ Value::Object(_)) => Ok(json),
            Some(_) => {
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                Err(Refusal::new(status, "unknown", "Internal Server Error"))
            }
            None => Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                "bad_request",
                "The browser (or proxy) sent a request that this server could not understand.",
            )),
        }
    }
}

async fn serve(
    state: &Arc<State>,
    endpoint: Endpoint<'_>,
    key: Result<&str, Refusal>,
    app: Option<&App>,
    asked: Asked<'_>,
) -> Result<Answer, Refusal> {
    let ok = |value: &Value| Ok(answer::json(StatusCode::OK, value));
    let app = admit(key, app)?;
    match endpoint {
        Endpoint::Info => ok(&app.info()),
        Endpoint::Parameters if app.behaviour() == Behaviour::NotPublished => {
            Err(Refusal::app_unavailable())
        }
        Endpoint::Parameters => ok(&app.sample.parameters(&app.form())),
        Endpoint::Meta => ok(&app.sample.meta()),
        Endpoint::Site => ok(&app.sample.site()),
        Endpoint::Run(door) => {
            let body = asked.json()?;
            calls::run(state, app, door, calls::user(body)?, body).await
        }
        Endpoint::Upload => {
            let kind = asked.head.headers.get(CONTENT_TYPE);
            let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
            files::upload(state, kind, &asked.body)
        }
        Endpoint::Stop(door, task_id) => {
            let user = calls::user(asked.json()?)?;
            door.open_to(app.sample.mode())?;
            let effective = state.stop(task_id, app.sample, &user);
            state.seen.stop(Stop {
                app: app.sample,
                path: asked.head.uri.path().to_owned(),
                task_id: task_id.to_owned(),
                user,
                effective,
            });
            ok(&json!({"result": "success"}))
        }
        Endpoint::Events(id) => {
            let query = asked.head.uri.query().unwrap_or_default();
            calls::follow(state, app, id, query)
        }
        Endpoint::Form(token) => {
            let body = asked.json()?;
            calls::user(body)?;
            review::submit(state, app.sample, token, body)
        }
        Endpoint::Logs => {
            let query = asked.head.uri.query().unwrap_or_default();
            ok(&calls::log(state, app, query)?)
        }
        Endpoint::RunDetail(id) => match state.run_detail(id, app.sample) {
            Some(detail) => ok(&detail),
            None => {
                let message = "Workflow run not found.";
                Err(Refusal::new(StatusCode::NOT_FOUND, "not_found", message))
            }
        },
    }
}

/// The key of the `Authorization` header.
fn app_key(head: &Parts) -> Result<&str, Refusal> {
    let missing =
        || Refusal::unauthorized("Authorization header must be provided and start with 'Bearer'");
    let value = head
        .headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let (scheme, key) = value
        .and_then(|value| value.trim().split_once(' '))
        .ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(key.trim())
    } else {
        Err(Refusal::unauthorized(
            "Authorization scheme must be 'Bearer'",
        ))
    }
}

/// The app of the request, unless its key or its API is refused.
fn admit<'a>(key: Result<&str, Refusal>, app: Option<&'a App>) -> Result<&'a App, Refusal> {
    key?;
    let app = app.filter(|app| app.behaviour() != Behaviour::RefuseKey);
    let app = app.ok_or_else(|| Refusal::unauthorized("Access token is invalid"))?;
    if app.behaviour() == Behaviour::ApiDisabled {
        let message = "The app's API service has been disabled.";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "forbidden", message));
    }
    Ok(app)
}

fn record(state: &State, head: &Parts, app: Option<&App>, json: Option<&Arc<Value>>) {
    let body = json.cloned().unwrap_or_default();
    state.seen.request(Request {
        app: app.map(|app| app.sample),
        method: head.method.clone(),
        path: head
            .uri
            .path_and_query()
            .map_or_else(String::new, ToString::to_string),
        user: body["user"].as_str().map(str::to_owned),
        body,
    });
}
