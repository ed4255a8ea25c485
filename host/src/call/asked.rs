//! What a client asks of an app, each in an instance of its guest of its own.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use airlock_dify::{Full, Place};
use airlock_mcp::{
    Answers, Call, CallError, CallResult, Capabilities, Complete, Completion, Context, End,
    GetPrompt, PromptResult, Read, ReadResult, Reference, Stage,
};
use airlock_sandbox::{Backend, Component, wit};
use serde_json::{Map, Value};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::backend::CallBackend;
use super::errands::{Errander, Errands};
use super::journal::{Journal, Left, Open};
use super::service::Inner;
use super::{offered, outcome};
use crate::files::{CallFiles, Files};
use crate::guests::GuestError;
use crate::limits::Limit;
use crate::publish::PublishedTool;

/// Bytes of a URI that a guest is asked to read.
const MAX_URI: usize = 8 << 10;
/// How long a call waits for a place among its app's calls.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a client reads meanwhile.
pub(super) const WAITING: &str = "Waiting for a free place";

/// Everything that one run of a guest needs.
struct Ready {
    component: Component,
    backend: Arc<dyn Backend>,
    cancelled: CancellationToken,
    errander: Errander,
    _place: Place,
}

impl Inner {
    pub(super) async fn call(self: Arc<Self>, call: Call) -> Result<End<CallResult>, CallError> {
        let open = match call.task {
            Some(task) => Some(Box::pin(Open::new(&self, task)).await?),
            None => None,
        };
        let resumed = call.task.is_some_and(|task| task.stage == Stage::Resumed);
        let journal = open.as_ref().map(Open::journal);
        let tool = self.published.tool(&call.tool).ok_or(CallError::Unknown)?;
        let files = Arc::new(self.files());
        let arguments = self.arguments(tool, call.arguments.get(), &files)?;
        drop(call.arguments);
        if let Some(refusal) = lacking(tool, call.context.client.capabilities) {
            return refusal;
        }
        let session = call.context.session.filter(|_| self.settings.per_session);
        let ready = match self.ready(call.context, &files, journal.cloned()).await? {
            Ok(ready) => ready,
            Err(_) if resumed => return Err(CallError::Interrupted),
            Err(words) => return Ok(CallResult::error(&words).into()),
        };
        let request = wit::CallRequest {
            tool: tool.guest_name.clone(),
            arguments: Value::Object(arguments).to_string(),
            answers: call.answers.map(answers),
            extra: self.extra(session),
        };
        let (app, limits) = (Arc::clone(&self.app), &self.limits.guest);
        let running = ready.component.call(app, request, ready.backend, limits);
        let running = ready.errander.beside(running);
        let running = self.until_over(&ready.cancelled, running);
        let mut ended = match journal {
            Some(journal) => Box::pin(self.journaled(journal, running)).await?,
            None => running.await?,
        };
        if let Ok(Ok(wit::Outcome::Complete(complete))) = &mut ended {
            let delivered = files.deliver(complete.content.iter_mut().collect());
            Box::pin(self.until_over(&ready.cancelled, delivered)).await?;
            files.tell(&mut complete.meta);
            if let Some(promise) = &tool.promise {
                Box::pin(self.keep(promise, tool, complete)).await;
            }
        }
        if let Some(session) = session {
            self.went_on(session, &ended);
        }
        outcome::result(&self.meter, self.limits.result, tool, ended)
    }

    pub(super) async fn read(self: Arc<Self>, read: Read) -> Result<End<ReadResult>, CallError> {
        if read.uri.len() > MAX_URI {
            return Err(CallError::Unknown);
        }
        if Files::is_handle(&read.uri) {
            let _place = self
                .place(&read.context)
                .await?
                .map_err(CallError::Internal)?;
            let reading = self.shared.files.read(&self.owner, &read.uri);
            return self
                .until_over(&read.context.cancelled, reading)
                .await?
                .map(End::from);
        }
        let ready = self
            .ready(read.context, &Arc::new(self.files()), None)
            .await?
            .map_err(CallError::Internal)?;
        let request = wit::resources::ReadRequest {
            uri: read.uri,
            answers: read.answers.map(answers),
            extra: "{}".into(),
        };
        let (app, limits) = (Arc::clone(&self.app), &self.limits.guest);
        let running = ready.component.read(app, request, ready.backend, limits);
        let running = ready.errander.beside(running);
        match self.until_over(&ready.cancelled, running).await? {
            Some(ended) => offered::read(&self.meter, self.limits.result, ended),
            None => Err(CallError::Unknown),
        }
    }

    pub(super) async fn prompt(
        self: Arc<Self>,
        prompt: GetPrompt,
    ) -> Result<End<PromptResult>, CallError> {
        let arguments = self.prompt_arguments(&prompt.name, prompt.arguments.get())?;
        let files = Arc::new(self.files());
        let ready = self
            .ready(prompt.context, &files, None)
            .await?
            .map_err(CallError::Internal)?;
        let request = wit::prompts::GetRequest {
            prompt: prompt.name,
            arguments: Value::Object(arguments).to_string(),
            answers: prompt.answers.map(answers),
            extra: "{}".into(),
        };
        let (app, limits) = (Arc::clone(&self.app), &self.limits.guest);
        let running = ready
            .component
            .get_prompt(app, request, ready.backend, limits);
        let running = ready.errander.beside(running);
        let Some(mut ended) = self.until_over(&ready.cancelled, running).await? else {
            return Err(CallError::Unknown);
        };
        if let Ok(Ok(wit::prompts::GetOutcome::Complete(complete))) = &mut ended {
            let messages = complete.messages.iter_mut();
            let delivered = files.deliver(messages.map(|message| &mut message.content).collect());
            self.until_over(&ready.cancelled, delivered).await?;
        }
        offered::prompt(&self.meter, self.limits.result, ended)
    }

    pub(super) async fn complete(
        self: Arc<Self>,
        complete: Complete,
    ) -> Result<Completion, CallError> {
        let known = match &complete.reference {
            Reference::Prompt(name) => self.offered.prompt(name).is_some(),
            Reference::Resource(template) => self.offered.has_template(template),
        };
        if !known {
            return Err(CallError::Unknown);
        }
        let ready = self
            .ready(complete.context, &Arc::new(self.files()), None)
            .await?
            .map_err(CallError::Internal)?;
        let request = wit::completions::CompleteRequest {
            reference: match complete.reference {
                Reference::Prompt(name) => wit::completions::Reference::Prompt(name),
                Reference::Resource(uri) => wit::completions::Reference::Template(uri),
            },
            argument: complete.argument,
            value: complete.value,
            known: complete.known.get().to_owned(),
            extra: "{}".into(),
        };
        let (app, limits) = (Arc::clone(&self.app), &self.limits.guest);
        let running = ready
            .component
            .complete(app, request, ready.backend, limits);
        let running = ready.errander.beside(running);
        match self.until_over(&ready.cancelled, running).await? {
            Some(ended) => offered::completion(&self.meter, self.limits.result, ended),
            None => Err(CallError::Unknown),
        }
    }

    /// Dropping the guest's run drops its runs of the app, and that stops them in Dify.
    async fn until_over<T>(
        &self,
        cancelled: &CancellationToken,
        running: impl Future<Output = T>,
    ) -> Result<T, CallError> {
        tokio::select! {
            biased;
            () = cancelled.cancelled() => Err(CallError::Cancelled),
            () = self.shared.ending.cancelled() => Err(CallError::Internal(
                "This server is stopping. Try again in a minute.".into(),
            )),
            ended = running => Ok(ended),
        }
    }

    /// The same for a call that keeps a journal: it ends where its runs are lost, and one that can go on in the next process
    /// leaves them to it.
    async fn journaled<T>(
        &self,
        journal: &Journal,
        running: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let mut running = pin!(running);
        let ended = tokio::select! {
            biased;
            () = journal.interrupted().cancelled() => Err(CallError::Interrupted),
            () = self.shared.ending.cancelled() => match journal.leave().await {
                Left::GoesOn => Err(CallError::Suspended),
                Left::Lost => Err(CallError::Interrupted),
                Left::NoTask => running.await,
            },
            ended = &mut running => ended,
        };
        if journal.interrupted().is_cancelled() {
            return Err(CallError::Interrupted);
        }
        ended
    }

    /// The app's guest, a place among the app's calls, and what stands behind the guest's imports. The guest comes first:
    /// a call that waits for a place keeps the one that it came for, whatever the app is given meanwhile. The inner error is
    /// for the caller.
    async fn ready(
        self: &Arc<Self>,
        context: Context,
        files: &Arc<CallFiles>,
        journal: Option<Arc<Journal>>,
    ) -> Result<Result<Ready, String>, CallError> {
        let guests = &self.shared.guests;
        let component = guests.component(&self.shared.registry, self.record.guest);
        let component = match self.until_over(&context.cancelled, component).await? {
            Ok(component) => component,
            Err(error) => return Ok(Err(self.without_guest(&error))),
        };
        let place = self.place(&context).await?;
        let (errands, errander) = match &journal {
            None => Errands::beside(),
            Some(_) => Errands::spawned(&self.shared.io),
        };
        Ok(place.map(|place| Ready {
            component,
            cancelled: context.cancelled.clone(),
            backend: Arc::new(CallBackend::new(
                Arc::clone(self),
                context,
                Arc::clone(files),
                journal,
                errands,
            )),
            errander,
            _place: place,
        }))
    }

    /// What a caller is told whose guest cannot be had.
    fn without_guest(&self, error: &GuestError) -> String {
        let snapshot = self.shared.registry.snapshot();
        let now = snapshot.get(self.record.id.as_str());
        if now.is_none_or(|now| now.guest != self.record.guest) {
            return "This app was changed a moment ago. Nothing was started; try again.".into();
        }
        tracing::error!(app = %self.record.slug, %error, "the app's guest cannot be loaded");
        if error.is_busy() {
            return "This server is busy with preparing other tools. Nothing was started; try again in a minute.".into();
        }
        "This tool's guest cannot be loaded. The operator of this server can find the reason in its log.".into()
    }

    /// A place among the app's calls. The inner error is for the caller.
    async fn place(&self, context: &Context) -> Result<Result<Place, String>, CallError> {
        let waits = || context.progress.report(None, None, Some(WAITING.into()));
        let place = self.calls.enter(Instant::now() + PATIENCE, waits);
        let place = self.until_over(&context.cancelled, place).await?;
        Ok(place.map_err(|Full { retry_after }| {
            let calls = self.limits.calls;
            self.meter.over(Limit::Calls);
            tracing::warn!(app = %self.record.slug, limit = %Limit::Calls, calls, "too many calls wait");
            format!(
                "This app is busy: {calls} calls run, which is the most, and too many wait. Nothing was started; try \
                 again in {} s.",
                retry_after.as_secs()
            )
        }))
    }

    fn files(&self) -> CallFiles {
        CallFiles::new(
            Arc::clone(&self.shared.files),
            self.owner.clone(),
            self.dify.clone(),
        )
    }

    /// Checked, with references in the place of files.
    fn arguments(
        &self,
        tool: &PublishedTool,
        text: &str,
        files: &CallFiles,
    ) -> Result<Map<String, Value>, CallError> {
        let taken = tool.arguments(text, |input, value| files.take(input, &self.sizes, value));
        taken.map_err(|findings| {
            CallError::InvalidArguments(format!("The arguments do not fit this tool: {findings}"))
        })
    }

    /// Texts, and all that are required.
    fn prompt_arguments(&self, prompt: &str, text: &str) -> Result<Map<String, Value>, CallError> {
        let prompt = self.offered.prompt(prompt).ok_or(CallError::Unknown)?;
        let arguments: Map<String, Value> = serde_json::from_str(text)
            .map_err(|error| CallError::InvalidArguments(error.to_string()))?;
        if let Some((name, _)) = arguments.iter().find(|(_, value)| !value.is_string()) {
            return Err(CallError::InvalidArguments(format!(
                "{name} must be a string"
            )));
        }
        let wanted = prompt.get("arguments").and_then(Value::as_array);
        let missing = wanted
            .into_iter()
            .flatten()
            .filter(|argument| argument["required"] == true)
            .filter_map(|argument| argument["name"].as_str())
            .find(|name| !arguments.contains_key(*name));
        match missing {
            Some(name) => Err(CallError::InvalidArguments(format!("{name} is missing"))),
            None => Ok(arguments),
        }
    }
}

/// The refusal of a call whose client cannot do what the tool needs.
fn lacking(
    tool: &PublishedTool,
    declared: Capabilities,
) -> Option<Result<End<CallResult>, CallError>> {
    let mut needed = Capabilities::default();
    for name in &tool.requires {
        let Some(capability) = Capabilities::named(name) else {
            let words = format!(
                "This tool needs a client that supports {name}, which this server does not know."
            );
            return Some(Ok(CallResult::error(&words).into()));
        };
        needed = needed.and(capability);
    }
    (!declared.has(needed)).then_some(Err(CallError::MissingCapability(needed)))
}

fn answers(answers: Answers) -> wit::Answers {
    wit::Answers {
        responses: answers.responses.get().to_owned(),
        state: answers.state,
    }
}
