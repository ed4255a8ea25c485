//! What stands behind a guest's imports during one call.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use airlock_dify::{App, RunRequest};
use airlock_mcp::{Change, Client, Context, Level, Log, Progress};
use airlock_sandbox::{Backend, Bound, BoxFuture, Run, wit};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::asked::WAITING;
use super::errands::Errands;
use super::journal::Journal;
use super::pauses::Opened;
use super::run::{NewRun, Wanted};
use super::service::Inner;
use super::translate::{self, Messages};
use crate::files::{CallFiles, Pending};
use crate::limits::Limit;
use crate::settings::PartialText;

/// Characters of a guest's log line that reach the operator's log.
const LOG_LINE: usize = 2_000;
/// Changes that one call may tell of: every listener of the app is woken by each.
const CHANGES: usize = 64;
/// Bytes of a changed resource's URI.
const MAX_URI: usize = 2 << 10;

/// One call's way to its own Dify app and to its own client.
pub(super) struct CallBackend {
    service: Arc<Inner>,
    files: Arc<CallFiles>,
    client: Client,
    progress: Progress,
    log: Log,
    changes_left: AtomicUsize,
    cancelled: CancellationToken,
    deadline: Instant,
    /// From a guest's first word on, progress is the guest's.
    guest_reports: Arc<AtomicBool>,
    /// Files of the answers that it had.
    fetching: Mutex<Vec<AbortOnDropHandle<()>>>,
    /// Of a call that is a task, or may become one.
    journal: Option<Arc<Journal>>,
    errands: Errands,
}

impl CallBackend {
    pub(super) fn new(
        service: Arc<Inner>,
        context: Context,
        files: Arc<CallFiles>,
        journal: Option<Arc<Journal>>,
        errands: Errands,
    ) -> Self {
        Self {
            journal,
            errands,
            deadline: Instant::now() + service.limits.guest.deadline,
            service,
            files,
            client: context.client,
            progress: context.progress,
            log: context.log,
            changes_left: AtomicUsize::new(CHANGES),
            cancelled: context.cancelled,
            guest_reports: Arc::default(),
            fetching: Mutex::default(),
        }
    }

    /// A run of the app.
    async fn asked(&self, request: wit::Request) -> Result<NewRun, wit::Error> {
        let (request, pending) = self.request(request)?;
        let app = self.app()?;
        let request = self.mapped(request, pending).await?;
        Ok(self.new_run(app, Wanted::New(request)))
    }

    /// The rest of a run that has waited for a person.
    async fn answered(&self, reply: wit::Reply) -> Result<NewRun, wit::Error> {
        let opened = Opened::new(reply, &self.service)?;
        let (request, pending) = opened.request(&self.service, &self.files)?;
        let app = self.app()?;
        let request = self.mapped(request, pending).await?;
        let answered = opened.answered(request.inputs)?;
        Ok(self.new_run(app, Wanted::Answered(answered)))
    }

    fn app(&self) -> Result<App, wit::Error> {
        self.service.dify.clone().ok_or_else(|| {
            tracing::error!(app = %self.service.record.slug, "no Dify is known: set DIFY_URL");
            translate::no_dify()
        })
    }

    fn new_run(&self, app: App, wanted: Wanted) -> NewRun {
        let progress = self.progress.clone();
        let guest_reports = Arc::clone(&self.guest_reports);
        let report = move |message| {
            if !guest_reports.load(Ordering::Relaxed) {
                progress.report(None, None, Some(message));
            }
        };
        let waits = report.clone();
        NewRun {
            service: Arc::clone(&self.service),
            files: Arc::clone(&self.files),
            app: app.on_wait(move || waits(WAITING.into())),
            wanted,
            journal: self.journal.clone(),
            cancelled: self.cancelled.clone(),
            messages: self.messages(),
            report: Box::new(report),
        }
    }

    /// What progress messages are made of: the answer's text where client and operator want it to be seen.
    fn messages(&self) -> Messages {
        let text = match self.service.settings.partial_text {
            PartialText::OnRequest => self.progress.wants_text(),
            PartialText::Always => self.progress.wanted(),
            PartialText::Never => false,
        };
        if text {
            Messages::with_text(&self.files)
        } else {
            Messages::default()
        }
    }

    /// Checked as far as it can be without Dify, and the files in it that Dify has to be told of.
    fn request(&self, request: wit::Request) -> Result<(RunRequest, Pending), wit::Error> {
        let service = &self.service;
        let inputs: Map<String, Value> =
            serde_json::from_str(&request.inputs).map_err(|error| {
                wit::Error::InvalidArguments(format!(
                    "the inputs for Dify are not a JSON object: {error}"
                ))
            })?;
        let conversation = match request.conversation.as_deref().filter(|handle| !handle.is_empty()) {
            None => None,
            Some(handle) => Some(service.shared.identities.open_conversation(&service.record, handle).ok_or_else(
                || {
                    wit::Error::InvalidArguments(
                        "conversation: this handle is not one of this app's, or its address has changed since; \
                         leave it out to begin anew"
                            .into(),
                    )
                },
            )?),
        };
        let mut run = RunRequest {
            mode: service.mode.clone(),
            form: Arc::clone(&service.form),
            inputs,
            query: request.query,
            conversation,
            user: service.shared.identities.user(&service.record),
            files: Vec::new(),
        };
        let uploads = service.uploads.as_ref();
        let pending = self.files.pending(&mut run, uploads, &request.files)?;
        run.check().map_err(|error| translate::error(&error))?;
        Ok((run, pending))
    }

    /// Tells Dify of the files, on the host's own threads.
    async fn mapped(
        &self,
        request: RunRequest,
        pending: Pending,
    ) -> Result<RunRequest, wit::Error> {
        if pending.is_empty() {
            return Ok(request);
        }
        let (files, sizes) = (Arc::clone(&self.files), self.service.sizes);
        let mapping = async move { files.map(request, pending, sizes).await };
        let mapped = AbortOnDropHandle::new(self.service.shared.io.spawn(mapping)).await;
        mapped.map_err(|_| translate::lost())?.map_err(|error| {
            let app = &self.service.record.slug;
            tracing::warn!(%app, ?error, "a file was not handed to Dify");
            error.error(translate::error, translate::no_dify)
        })
    }
}

impl Backend for CallBackend {
    fn run(&self, request: wit::Request) -> BoxFuture<'_, Result<wit::Answer, wit::Error>> {
        Box::pin(async move {
            let answer = self.asked(request).await?.finish(&self.errands).await?;
            // Their addresses expire, and a guest may take its time.
            let io = &self.service.shared.io;
            let fetching = self.files.ahead(&answer.files, io);
            let mut all = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
            all.extend(fetching);
            Ok(answer)
        })
    }

    fn start(&self, request: wit::Request) -> BoxFuture<'_, Result<Box<dyn Run>, wit::Error>> {
        Box::pin(async move {
            let run = self.asked(request).await?.start(&self.errands).await?;
            Ok(Box::new(run) as Box<dyn Run>)
        })
    }

    fn resume(&self, reply: wit::Reply) -> BoxFuture<'_, Result<Box<dyn Run>, wit::Error>> {
        Box::pin(async move {
            let run = self.answered(reply).await?.start(&self.errands).await?;
            Ok(Box::new(run) as Box<dyn Run>)
        })
    }

    fn who(&self) -> wit::Caller {
        wit::Caller {
            name: self.client.name.clone(),
            version: self.client.version.clone(),
            principal: self
                .service
                .shared
                .identities
                .principal(&self.service.record),
            extra: format!(
                r#"{{"capabilities":{}}}"#,
                self.client.capabilities.to_json()
            ),
        }
    }

    fn progress(&self, done: f64, total: Option<f64>, message: Option<String>) {
        self.guest_reports.store(true, Ordering::Relaxed);
        self.progress.report(Some(done), total, message);
    }

    fn log(&self, level: wit::Level, data: &str) {
        let line: String = data.chars().take(LOG_LINE).collect();
        let app = &self.service.record.slug;
        match level {
            wit::Level::Debug => tracing::debug!(%app, guest = line),
            wit::Level::Info | wit::Level::Notice => tracing::info!(%app, guest = line),
            wit::Level::Warning => tracing::warn!(%app, guest = line),
            wit::Level::Error
            | wit::Level::Critical
            | wit::Level::Alert
            | wit::Level::Emergency => {
                tracing::error!(%app, guest = line);
            }
        }
    }

    fn tell(&self, level: wit::Level, data: String) {
        let level = client_level(level);
        if !self.log.wants(level) {
            return;
        }
        // What is no JSON is passed on as the text it is.
        let data = RawValue::from_string(data.clone()).or_else(|_| to_raw_value(&data));
        if let Ok(data) = data {
            self.log.send(level, None, &data);
        }
    }

    fn cut(&self, bound: Bound) {
        let limit = Limit::from(bound);
        self.service.meter.over(limit);
        let app = &self.service.record.slug;
        tracing::warn!(%app, %limit, "the guest went over {bound}; what is over it is dropped");
    }

    fn changed(&self, what: wit::Change) {
        let change = match what {
            wit::Change::Tools => Change::Tools,
            wit::Change::Prompts => Change::Prompts,
            wit::Change::Resources => Change::Resources,
            wit::Change::Contents(uri) if uri.len() <= MAX_URI => Change::Resource(uri.into()),
            wit::Change::Contents(_) | wit::Change::Other(_) => return,
        };
        let taken = self
            .changes_left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            });
        if taken.is_ok() {
            self.service.changes.tell(change);
        }
    }

    fn cancelled(&self) -> bool {
        self.cancelled.is_cancelled()
    }

    fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

fn client_level(level: wit::Level) -> Level {
    match level {
        wit::Level::Debug => Level::Debug,
        wit::Level::Info => Level::Info,
        wit::Level::Notice => Level::Notice,
        wit::Level::Warning => Level::Warning,
        wit::Level::Error => Level::Error,
        wit::Level::Critical => Level::Critical,
        wit::Level::Alert => Level::Alert,
        wit::Level::Emergency => Level::Emergency,
    }
}
