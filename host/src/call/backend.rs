//! What stands behind a guest's imports during one call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use airlock_dify::RunRequest;
use airlock_mcp::{Call, Client, Progress};
use airlock_sandbox::{Backend, BoxFuture, Run, wit};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::run::CallRun;
use super::service::Inner;
use super::translate;

/// Characters of a guest's log line that reach the operator's log.
const LOG_LINE: usize = 2_000;

/// Runs of the app that one call may start. A guest that asks an app a few times is useful; one that asks for ever keeps
/// Dify busy until its deadline.
const RUNS: usize = 32;

/// One call's way to its own Dify app and to its own client.
pub(super) struct CallBackend {
    service: Arc<Inner>,
    client: Client,
    progress: Progress,
    cancelled: CancellationToken,
    deadline: Instant,
    /// From a guest's first word on, progress is the guest's.
    guest_reports: Arc<AtomicBool>,
    runs: AtomicUsize,
}

impl CallBackend {
    pub(super) fn new(service: Arc<Inner>, call: Call) -> Self {
        Self {
            deadline: Instant::now() + service.shared.limits.deadline,
            service,
            client: call.client,
            progress: call.progress,
            cancelled: call.cancelled,
            guest_reports: Arc::default(),
            runs: AtomicUsize::new(0),
        }
    }

    fn request(&self, request: wit::Request) -> Result<RunRequest, wit::Error> {
        let service = &self.service;
        let inputs: Map<String, Value> =
            serde_json::from_str(&request.inputs).map_err(|error| {
                wit::Error::InvalidArguments(format!(
                    "the inputs for Dify are not a JSON object: {error}"
                ))
            })?;
        if !request.files.is_empty() {
            return Err(wit::Error::InvalidArguments(
                "no file of that handle is held for this call".into(),
            ));
        }
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
        Ok(RunRequest {
            mode: service.mode.clone(),
            form: Arc::clone(&service.form),
            inputs,
            query: request.query,
            conversation,
            user: service.shared.identities.user(&service.record),
            files: Vec::new(),
        })
    }
}

impl Backend for CallBackend {
    fn start(&self, request: wit::Request) -> BoxFuture<'_, Result<Box<dyn Run>, wit::Error>> {
        Box::pin(async move {
            if self.runs.fetch_add(1, Ordering::Relaxed) >= RUNS {
                return Err(wit::Error::Failed(format!(
                    "one call may run its app {RUNS} times, and has"
                )));
            }
            let request = self.request(request)?;
            let Some(app) = self.service.dify.clone() else {
                tracing::error!(app = %self.service.record.slug, "no Dify is known: set DIFY_URL");
                return Err(translate::no_dify());
            };
            let progress = self.progress.clone();
            let guest_reports = Arc::clone(&self.guest_reports);
            let run = CallRun::start(&self.service, app, request, move |message| {
                if !guest_reports.load(Ordering::Relaxed) {
                    progress.report(None, None, Some(message));
                }
            });
            Ok(Box::new(run.await?) as Box<dyn Run>)
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
            extra: "{}".into(),
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

    fn cancelled(&self) -> bool {
        self.cancelled.is_cancelled()
    }

    fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}
