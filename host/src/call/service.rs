//! One published app as MCP sees it: the lists it offers, and where its requests go.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use airlock_dify::{Dify, Line, Mode};
use airlock_form::{Form, Uploads};
use airlock_mcp::{
    About, Answer, Call, CallError, CallResult, Catalog, Changes, Complete, Completion, End,
    GetPrompt, Offers, PromptResult, Read, ReadResult, TaskKey, TaskStore, ToolServer, Tools,
};
use airlock_registry::{AppRecord, Lease, Registry};
use airlock_sandbox::wit;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::changes::AppChanges;
use super::identity::Identities;
use super::journal::Journals;
use super::sessions::SessionConversations;
use super::tasks::AppTasks;
use crate::facts::Facts;
use crate::files::{Files, Owner, Sizes};
use crate::guests::Guests;
use crate::limits::{self, CallLimits};
use crate::metrics::{Meter, Metrics, Outcome};
use crate::publish::{Catalogue, Manifest, Published};
use crate::settings::AppSettings;

/// What all services share.
pub struct Shared {
    /// For components and app keys.
    pub registry: Arc<Registry>,
    /// The compiled guests.
    pub guests: Guests,
    /// The Dify beside us.
    pub dify: Option<Dify>,
    /// What goes in and out as a file.
    pub files: Arc<Files>,
    /// Who callers are to Dify.
    pub identities: Identities,
    /// Which conversations sessions go on with.
    pub conversations: SessionConversations,
    /// Where changes of apps are told.
    pub changes: Arc<AppChanges>,
    /// Which runs the calls have started that are tasks.
    pub journals: Journals,
    /// The bounds of a call, of an app that has none of its own.
    pub limits: CallLimits,
    /// What is counted.
    pub metrics: Arc<Metrics>,
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
/// service.
pub struct Service(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) shared: Arc<Shared>,
    pub(super) record: Arc<AppRecord>,
    pub(super) app: Arc<wit::App>,
    pub(super) mode: Mode,
    pub(super) form: Arc<Form>,
    /// Files beside the form.
    pub(super) uploads: Option<Uploads>,
    pub(super) sizes: Sizes,
    pub(super) owner: Owner,
    /// Has it been seen to wait for a person?
    pub(super) pauses: bool,
    pub(super) settings: AppSettings,
    pub(super) dify: Option<airlock_dify::App>,
    pub(super) limits: CallLimits,
    pub(super) meter: Meter,
    pub(super) published: Published,
    pub(super) offered: Catalogue,
    pub(super) changes: Changes,
    tools: Tools,
    catalog: Catalog,
    tasks: Arc<dyn TaskStore>,
    pub(super) revoked: CancellationToken,
    /// Outlives this state of the record: a new description frees no places. Another bound makes another line, beside which
    /// the calls of the old one come to their end.
    pub(super) calls: Arc<Line>,
}

impl Service {
    /// The service of the app behind `lease`, which takes the place of the one `before`.
    ///
    /// # Errors
    /// When what the registry holds of it does not fit together.
    pub fn new(
        shared: &Arc<Shared>,
        lease: &Lease,
        before: Option<&Self>,
    ) -> Result<Self, Unserved> {
        let unserved = |error: &dyn std::fmt::Display| Unserved(error.to_string());
        let record = Arc::clone(&lease.app);
        let facts = Facts::of(&record).map_err(|error| unserved(&error))?;
        let manifest: Manifest =
            serde_json::from_value(record.manifest.clone()).map_err(|error| unserved(&error))?;
        let published =
            Published::new(&manifest, &record.overlay).map_err(|error| unserved(&error))?;
        let offered = manifest.catalogue;
        let resources = offered.resources.clone().unwrap_or_default();
        let catalog = Catalog::new(
            &raw(&resources.resources),
            &raw(&resources.templates),
            &raw(offered.prompts.iter().flatten()),
        );
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
        let limits = shared.limits.with(&limits::own(&record.overlay));
        let before = before.filter(|before| before.0.limits.calls == limits.calls);
        let calls = before.map_or_else(
            || Arc::new(Line::new(limits.calls, limits.calls)),
            |before| Arc::clone(&before.0.calls),
        );
        Ok(Self(Arc::new(Inner {
            app: Arc::new(facts.app(&record.settings)),
            mode: Mode::from(facts.mode.as_str()),
            form: Arc::new(Form::parse(&facts.parameters)),
            uploads: Uploads::parse(&facts.parameters),
            sizes: Sizes::of(&facts.parameters),
            owner: Owner::from(&*record),
            pauses: facts.pauses,
            settings: AppSettings::of(&record.settings),
            dify,
            tools: published.list().map_err(|error| unserved(&error))?,
            catalog: catalog.map_err(|error| unserved(&error))?,
            published,
            offered,
            changes: shared.changes.of(&record.id),
            tasks: Arc::new(AppTasks {
                shared: Arc::clone(shared),
                app: record.id.clone(),
            }),
            revoked: lease.revoked.clone(),
            calls,
            meter: Meter::new(&shared.metrics, &record.slug),
            limits,
            record,
            shared: Arc::clone(shared),
        })))
    }
}

impl Service {
    /// Can the call of this task, which ran when the server stopped, go on?
    pub async fn can_resume(&self, key: TaskKey) -> bool {
        self.0.can_resume(key).await
    }

    /// Stops what the call of this task had started before the server stopped.
    pub async fn stop_runs(&self, key: TaskKey) {
        self.0.stop_runs(key).await;
    }
}

fn raw<'a>(items: impl IntoIterator<Item = &'a Map<String, Value>>) -> Vec<Box<RawValue>> {
    let items = items.into_iter();
    items
        .map(|item| to_raw_value(item).expect("an object of JSON values is JSON"))
        .collect()
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

    fn offers(&self) -> Offers {
        Offers {
            // Any app may make files, and large ones are read later.
            resources: true,
            prompts: self.0.offered.prompts.is_some(),
            completions: self.0.offered.completions,
            // Any guest may have something to say; whether it does, only its calls show.
            logging: true,
        }
    }

    fn takes_files(&self) -> bool {
        self.0
            .published
            .tools
            .iter()
            .any(|tool| !tool.files.is_empty())
    }

    fn tools(&self) -> &Tools {
        &self.0.tools
    }

    fn catalog(&self) -> &Catalog {
        &self.0.catalog
    }

    fn call(&self, call: Call) -> Answer<End<CallResult>> {
        let inner = Arc::clone(&self.0);
        let name = call.tool.clone();
        Box::pin(async move {
            let began = Instant::now();
            let answer = Arc::clone(&inner).call(call).await;
            let tool_error = matches!(&answer, Ok(End::Complete(result)) if result.is_error);
            let outcome = if tool_error {
                Outcome::ToolError
            } else {
                outcome(&answer)
            };
            inner.meter.called(outcome);
            let outcome = outcome.word();
            // A name that the app does not have is the caller's text, and may be anything.
            let tool = inner.published.tool(&name).map_or("?", |_| name.as_str());
            tracing::info!(app = %inner.record.slug, tool, outcome, ms = began.elapsed().as_millis(), "call");
            answer
        })
    }

    fn read(&self, read: Read) -> Answer<End<ReadResult>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let answer = Arc::clone(&inner).read(read).await;
            tracing::debug!(app = %inner.record.slug, outcome = outcome(&answer).word(), "read");
            answer
        })
    }

    fn prompt(&self, prompt: GetPrompt) -> Answer<End<PromptResult>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let answer = Arc::clone(&inner).prompt(prompt).await;
            tracing::debug!(app = %inner.record.slug, outcome = outcome(&answer).word(), "prompt");
            answer
        })
    }

    fn complete(&self, complete: Complete) -> Answer<Completion> {
        Box::pin(Arc::clone(&self.0).complete(complete))
    }

    fn changes(&self) -> Option<&Changes> {
        Some(&self.0.changes)
    }

    fn tasks(&self) -> Option<&Arc<dyn TaskStore>> {
        Some(&self.0.tasks)
    }

    fn gone(&self) -> &CancellationToken {
        &self.0.revoked
    }
}

/// How a request ended.
fn outcome<T>(answer: &Result<End<T>, CallError>) -> Outcome {
    match answer {
        Ok(End::Complete(_)) => Outcome::Ok,
        Ok(End::InputRequired(_)) => Outcome::InputRequired,
        Err(CallError::Unknown) => Outcome::Unknown,
        Err(CallError::InvalidArguments(_)) => Outcome::InvalidArguments,
        Err(CallError::MissingCapability(_)) => Outcome::MissingCapability,
        Err(CallError::Cancelled) => Outcome::Cancelled,
        Err(CallError::Gone) => Outcome::Gone,
        Err(CallError::Interrupted) => Outcome::Interrupted,
        Err(CallError::Suspended) => Outcome::Suspended,
        Err(CallError::Internal(_)) => Outcome::Internal,
    }
}
