//! One published app as MCP sees it: the list it offers, and its calls.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use airlock_dify::{Dify, Mode};
use airlock_form::Form;
use airlock_mcp::{About, Answer, Call, CallError, CallResult, ToolServer, Tools};
use airlock_registry::{AppRecord, Lease, Registry};
use airlock_sandbox::{Limits, wit};
use serde_json::{Map, Value};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::backend::CallBackend;
use super::identity::Identities;
use super::outcome;
use crate::facts::Facts;
use crate::guests::Guests;
use crate::publish::{Manifest, Published, PublishedTool};

/// What all services share.
pub struct Shared {
    /// For components and app keys.
    pub registry: Arc<Registry>,
    /// The compiled guests.
    pub guests: Arc<Guests>,
    /// The Dify beside us.
    pub dify: Option<Dify>,
    /// Who callers are to Dify.
    pub identities: Identities,
    /// The bounds of a call's guest.
    pub limits: Limits,
    /// Calls of one app that may run or wait at one time.
    pub calls_per_app: usize,
    /// The threads that do I/O: a guest's own threads must not.
    pub io: Handle,
    /// Fires when the server stops for good: calls that still run end.
    pub ending: CancellationToken,
}

/// An app that cannot be served, for the log.
#[derive(Debug, thiserror::Error)]
#[error("this app cannot be served: {0}")]
pub struct Unserved(String);

/// One published app. It belongs to one state of its record: another description, guest or address makes another
/// service. Cheap to clone.
#[derive(Clone)]
pub struct Service(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) shared: Arc<Shared>,
    pub(super) record: Arc<AppRecord>,
    pub(super) app: Arc<wit::App>,
    pub(super) mode: Mode,
    pub(super) form: Arc<Form>,
    pub(super) dify: Option<airlock_dify::App>,
    published: Published,
    tools: Tools,
    revoked: CancellationToken,
    /// Outlives this state of the record: a new description frees no slots.
    pub(super) calls: Arc<Semaphore>,
}

impl Service {
    /// The service of the app behind `lease`.
    ///
    /// # Errors
    /// When what the registry holds of it does not fit together.
    pub fn new(
        shared: &Arc<Shared>,
        lease: &Lease,
        calls: Option<Arc<Semaphore>>,
    ) -> Result<Self, Unserved> {
        let unserved = |error: &dyn std::fmt::Display| Unserved(error.to_string());
        let record = Arc::clone(&lease.app);
        let facts = Facts::of(&record).map_err(|error| unserved(&error))?;
        let manifest: Manifest =
            serde_json::from_value(record.manifest.clone()).map_err(|error| unserved(&error))?;
        let published =
            Published::new(&manifest, &record.overlay).map_err(|error| unserved(&error))?;
        let raw: Vec<_> = published
            .tools
            .iter()
            .map(|tool| {
                serde_json::value::to_raw_value(&tool.json).map_err(|error| unserved(&error))
            })
            .collect::<Result<_, _>>()?;
        let dify = match &shared.dify {
            Some(dify) => {
                let key = shared
                    .registry
                    .app_key(&record.id)
                    .map_err(|error| unserved(&error))?;
                Some(dify.app(key.expose().parse().map_err(|error| unserved(&error))?))
            }
            None => None,
        };
        Ok(Self(Arc::new(Inner {
            app: Arc::new(facts.app(&record.settings)),
            mode: Mode::from(facts.mode.as_str()),
            form: Arc::new(Form::parse(&facts.parameters)),
            dify,
            tools: Tools::new(&raw).map_err(|error| unserved(&error))?,
            published,
            revoked: lease.revoked.clone(),
            calls: calls.unwrap_or_else(|| Arc::new(Semaphore::new(shared.calls_per_app))),
            record,
            shared: Arc::clone(shared),
        })))
    }
}

impl ToolServer for Service {
    fn app(&self) -> &str {
        self.0.record.id.as_str()
    }

    fn epoch(&self) -> u64 {
        self.0.record.credential_epoch
    }

    fn about(&self) -> About<'_> {
        About {
            name: Cow::Borrowed(&self.0.record.slug),
            title: Some(Cow::Borrowed(&self.0.record.name)),
            version: Cow::Borrowed(env!("CARGO_PKG_VERSION")),
            instructions: self.0.published.instructions.as_deref().map(Cow::Borrowed),
        }
    }

    fn tools(&self) -> &Tools {
        &self.0.tools
    }

    fn call(&self, call: Call) -> Answer {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let began = Instant::now();
            let tool = call.tool.clone();
            let answer = Arc::clone(&inner).call(call).await;
            let outcome = match &answer {
                Ok(result) if result.is_error => "tool error",
                Ok(_) => "ok",
                Err(CallError::UnknownTool) => "unknown tool",
                Err(CallError::InvalidArguments(_)) => "invalid arguments",
                Err(CallError::Cancelled) => "cancelled",
                Err(CallError::Gone) => "address gone",
                Err(CallError::Internal(_)) => "internal",
            };
            // A name that the app does not have is the caller's text, and may be anything.
            let tool = if matches!(answer, Err(CallError::UnknownTool)) {
                "?"
            } else {
                &tool
            };
            tracing::info!(app = %inner.record.slug, tool, outcome, ms = began.elapsed().as_millis(), "call");
            answer
        })
    }

    fn gone(&self) -> &CancellationToken {
        &self.0.revoked
    }
}

impl Inner {
    async fn call(self: Arc<Self>, call: Call) -> Result<CallResult, CallError> {
        let tool = self
            .published
            .tool(&call.tool)
            .ok_or(CallError::UnknownTool)?;
        let arguments = arguments(tool, call.arguments.get())?;
        if let [missing, ..] = tool.requires.as_slice() {
            return Ok(CallResult::error(&format!(
                "This tool needs a client that supports {missing}, and this connection does not."
            )));
        }
        let Ok(_slot) = Arc::clone(&self.calls).try_acquire_owned() else {
            return Ok(CallResult::error(&format!(
                "This app is at its limit of {} calls at one time. Try again in a few seconds.",
                self.shared.calls_per_app
            )));
        };
        let component = match self
            .shared
            .guests
            .component(&self.shared.registry, self.record.guest)
            .await
        {
            Ok(component) => component,
            Err(error) => {
                tracing::error!(app = %self.record.slug, %error, "the app's guest cannot be loaded");
                return Ok(CallResult::error(
                    "This tool's guest cannot be loaded. The operator of this server can find the reason in its log.",
                ));
            }
        };
        let request = wit::CallRequest {
            tool: tool.guest_name.clone(),
            arguments: Value::Object(arguments).to_string(),
            answers: None,
            extra: "{}".into(),
        };
        let cancelled = call.cancelled.clone();
        let backend = Arc::new(CallBackend::new(Arc::clone(&self), call));
        let ended = tokio::select! {
            biased;
            // Dropping the guest's call drops its runs, and that stops them in Dify.
            () = cancelled.cancelled() => return Err(CallError::Cancelled),
            () = self.shared.ending.cancelled() => {
                return Err(CallError::Internal("This server is stopping. Try again in a minute.".into()));
            }
            ended = component.call(Arc::clone(&self.app), request, backend, &self.shared.limits) => ended,
        };
        outcome::result(&self.record.slug, tool, ended)
    }
}

fn arguments(tool: &PublishedTool, text: &str) -> Result<Map<String, Value>, CallError> {
    let parsed = serde_json::from_str(text)
        .map_err(|error| CallError::InvalidArguments(error.to_string()))?;
    tool.arguments(parsed).map_err(|findings| {
        CallError::InvalidArguments(format!("The arguments do not fit this tool: {findings}"))
    })
}
