//! One run of the app: its I/O as an errand of the call, what comes of it handed over to the guest.

use std::sync::Arc;

use airlock_dify::{Answer, App, Error, Event, Known, Pause, RunRequest};
use airlock_sandbox::{BoxFuture, Run, wit};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::errands::Errands;
use super::journal::{Journal, Step};
use super::pauses::Answered;
use super::service::Inner;
use super::translate;
use crate::files::{CallFiles, LinkPieces};

/// Events that wait for a guest to read them. A guest that is slower than Dify slows the reading down, and with it Dify.
const WAITING: usize = 64;

/// A run that has not begun.
pub(super) struct NewRun {
    pub(super) service: Arc<Inner>,
    pub(super) files: Arc<CallFiles>,
    pub(super) app: App,
    pub(super) wanted: Wanted,
    /// Of a call that is a task, or may become one.
    pub(super) journal: Option<Arc<Journal>>,
    pub(super) cancelled: CancellationToken,
    /// Makes of Dify's events what they are worth to the person who waits.
    pub(super) messages: translate::Messages,
    /// Takes it.
    pub(super) report: Box<dyn Fn(String) + Send>,
}

/// What is wanted of Dify.
pub(super) enum Wanted {
    New(RunRequest),
    /// A run that waits is to go on with this answer.
    Answered(Answered),
}

impl Wanted {
    async fn start(self, app: &App) -> Result<airlock_dify::Run, Error> {
        match self {
            Self::New(request) => app.run(request).await,
            Self::Answered(answered) => Box::pin(answered.send(app)).await,
        }
    }

    /// The same after an earlier process has begun it. Whether an answer has reached Dify, Dify knows.
    async fn again(self, app: &App, known: &Known) -> Result<airlock_dify::Run, Error> {
        match self {
            Self::New(_) => Ok(app.follow(known, Pause::Ends)),
            Self::Answered(answered) => match answered.send(app).await {
                Err(Error::FormAnswered) => Ok(app.follow(known, Pause::WasAnswered)),
                sent => sent,
            },
        }
    }

    /// By which the same is told from another. Inputs that do not fit are refused here.
    fn text(&self) -> Result<Vec<u8>, Error> {
        Ok(match self {
            Self::New(request) => {
                let mode = request.mode.as_str().as_bytes();
                [mode, b"\0", &request.body()?].concat()
            }
            Self::Answered(answered) => answered.text(),
        })
    }

    /// By what the run is found, where that is known before it begins.
    fn known(&self) -> Option<Known> {
        match self {
            Self::New(_) => None,
            Self::Answered(answered) => Some(answered.known.clone()),
        }
    }
}

impl NewRun {
    /// Runs the app to its end: no event crosses to the guest. Dropping the future stops the run.
    pub(super) async fn finish(self, errands: &Errands) -> Result<wit::Answer, wit::Error> {
        let (service, files) = (Arc::clone(&self.service), Arc::clone(&self.files));
        let (answer_to, answer) = oneshot::channel();
        errands.give(self.answer(answer_to));
        match answer.await {
            Ok(Ok(answer)) => Ok(translate::answer(*answer, &service, &files)),
            Ok(Err(error)) => Err(failed(&service, &error)),
            Err(_) => Err(translate::lost()),
        }
    }

    /// Until the run or the guest's end is over.
    async fn answer(self, mut answer_to: oneshot::Sender<Result<Box<Answer>, Error>>) {
        let (service, cancelled) = (self.service, self.cancelled);
        let begun = tokio::select! {
            biased;
            () = over(&cancelled, &service) => return answer_to.closed().await,
            () = answer_to.closed() => return,
            begun = Begun::new(&self.app, self.wanted, self.journal, (self.messages, self.report)) => begun,
        };
        // The guest may be gone when it comes to an end; then nobody wants to know.
        let mut begun = match begun {
            Some(Ok(begun)) => begun,
            Some(Err(error)) => return drop(answer_to.send(Err(error))),
            None => return,
        };
        loop {
            let event = tokio::select! {
                biased;
                () = over(&cancelled, &service) => {
                    drop(begun);
                    return answer_to.closed().await;
                }
                () = answer_to.closed() => return,
                event = begun.run.next() => event,
            };
            match begun.note(event).await {
                Some(Ok(Event::Done(answer))) => {
                    learn(&service, &answer).await;
                    return drop(answer_to.send(Ok(answer)));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return drop(answer_to.send(Err(error))),
                None => return,
            }
        }
    }

    /// Starts the app, to be followed event by event.
    pub(super) async fn start(self, errands: &Errands) -> Result<CallRun, wit::Error> {
        let (service, files) = (Arc::clone(&self.service), Arc::clone(&self.files));
        let (events_to, events) = mpsc::channel(WAITING);
        let (started_to, started) = oneshot::channel();
        let stop = CancellationToken::new();
        errands.give(self.drive(started_to, events_to, stop.clone()));
        match started.await {
            Ok(Ok(())) => Ok(CallRun {
                service,
                files,
                text: LinkPieces::default(),
                end: None,
                fetching: None,
                events,
                stop,
                over: false,
            }),
            Ok(Err(error)) => Err(failed(&service, &error)),
            Err(_) => Err(translate::lost()),
        }
    }

    /// As [`NewRun::answer`].
    async fn drive(
        self,
        mut started: oneshot::Sender<Result<(), Error>>,
        events: mpsc::Sender<Result<Event, Error>>,
        stop: CancellationToken,
    ) {
        let (service, cancelled) = (self.service, self.cancelled);
        let begun = tokio::select! {
            biased;
            () = over(&cancelled, &service) => return started.closed().await,
            () = events.closed() => return,
            begun = Begun::new(&self.app, self.wanted, self.journal, (self.messages, self.report)) => begun,
        };
        let mut begun = match begun {
            Some(Ok(begun)) => begun,
            Some(Err(error)) => return drop(started.send(Err(error))),
            None => return,
        };
        let _ = started.send(Ok(()));
        let mut stopped = false;
        loop {
            let event = tokio::select! {
                biased;
                () = over(&cancelled, &service) => {
                    drop(begun);
                    return events.closed().await;
                }
                () = events.closed() => return,
                () = stop.cancelled(), if !stopped => {
                    stopped = true;
                    Box::pin(begun.run.stop()).await;
                    continue;
                }
                event = begun.run.next() => event,
            };
            let Some(event) = begun.note(event).await else {
                return;
            };
            if let Ok(Event::Done(answer)) = &event {
                learn(&service, answer).await;
            }
            let last = matches!(event, Err(_) | Ok(Event::Done(_)));
            if events.send(event).await.is_err() || last {
                return;
            }
        }
    }
}

async fn learn(service: &Inner, answer: &Answer) {
    if !answer.forms.is_empty() {
        Box::pin(service.has_paused()).await;
    }
}

/// A run that Dify has.
struct Begun {
    run: airlock_dify::Run,
    noted: Option<Noted>,
    messages: translate::Messages,
    report: Box<dyn Fn(String) + Send>,
}

/// A run of a call that keeps a journal.
struct Noted {
    journal: Arc<Journal>,
    /// Where to write down its names once Dify gives them; none of a run that an earlier process has started.
    place: Option<usize>,
    followed: bool,
}

impl Begun {
    /// Starts the run, or finds the one that the call has started before. `None` where it must not be started.
    async fn new(
        app: &App,
        wanted: Wanted,
        journal: Option<Arc<Journal>>,
        (messages, report): (translate::Messages, Box<dyn Fn(String) + Send>),
    ) -> Option<Result<Self, Error>> {
        let begun = |(run, noted)| Self {
            run,
            noted,
            messages,
            report,
        };
        let Some(journal) = journal else {
            return Some(wanted.start(app).await.map(|run| begun((run, None))));
        };
        // Inputs that do not fit are refused before anything is written down.
        let text = match wanted.text() {
            Ok(text) => text,
            Err(error) => return Some(Err(error)),
        };
        let step = match Box::pin(journal.next(&text, wanted.known())).await {
            Ok(step) => step,
            Err(why) => {
                tracing::warn!(%why, "a task's run was not started");
                return None;
            }
        };
        let (run, place) = match step {
            Step::Follow(known) => (Box::pin(wanted.again(app, &known)).await, None),
            Step::Start(place) => (wanted.start(app).await, Some(place)),
        };
        let run = match run {
            Ok(run) => run,
            Err(error) => return Some(Err(error)),
        };
        let noted = Noted {
            journal,
            followed: place.is_none(),
            place,
        };
        Some(Ok(begun((run, Some(noted)))))
    }

    /// Notes what came: for the journal, and for the person who waits. None where nothing more comes, or the run is lost
    /// and its call interrupted.
    async fn note(&mut self, event: Result<Option<Event>, Error>) -> Option<Result<Event, Error>> {
        let event = event.transpose()?;
        if let Some(noted) = &mut self.noted
            && noted.place.is_some()
            && let Some(known) = self.run.known()
        {
            Box::pin(noted.name(known)).await;
        }
        match &event {
            Ok(event) => {
                if let Some(message) = self.messages.of(event) {
                    (self.report)(message);
                }
            }
            Err(error) => {
                if let Some(noted) = self.noted.as_ref().filter(|noted| noted.lost(error)) {
                    tracing::warn!(error = %error.operator(), "a task's run is lost");
                    noted.journal.interrupt();
                    return None;
                }
            }
        }
        Some(event)
    }
}

impl Drop for Begun {
    /// Stops the run, if it is not over, unless the next process goes on with its call.
    fn drop(&mut self) {
        if self
            .noted
            .as_ref()
            .is_some_and(|noted| noted.journal.is_left())
        {
            self.run.leave();
        }
    }
}

impl Noted {
    async fn name(&mut self, known: Known) {
        if let Some(place) = self.place.take() {
            self.journal.name(place, known).await;
        }
    }

    /// Is the run lost, and not just ended badly?
    fn lost(&self, error: &Error) -> bool {
        let own = matches!(
            error,
            Error::RunFailed { .. } | Error::Stopped { .. } | Error::Provider { .. }
        );
        self.followed && !own
    }
}

/// What ends a run early. The tokens are watched here too, though they end the guest's side by themselves: when an
/// address dies, a run that waits for a slot must not get the one that its neighbour has just left. The guest hears nothing
/// of it: it would have words of its own for the client, who is to read why the call has ended.
async fn over(cancelled: &CancellationToken, service: &Inner) {
    tokio::select! {
        () = cancelled.cancelled() => {}
        () = service.revoked.cancelled() => {}
    }
}

/// The guest's end of a run that it follows. Dropping it ends the task at the other end, which drops Dify's run, and that
/// stops it.
pub(super) struct CallRun {
    service: Arc<Inner>,
    files: Arc<CallFiles>,
    /// Text of which the guest has not heard, because it may be part of a link to a file.
    text: LinkPieces,
    /// The end, where the last of the text had to go before it.
    end: Option<Box<Answer>>,
    fetching: Option<AbortOnDropHandle<()>>,
    events: mpsc::Receiver<Result<Event, Error>>,
    stop: CancellationToken,
    over: bool,
}

impl CallRun {
    /// The end, for the guest. Its files are fetched meanwhile: their addresses expire.
    fn answer(&mut self, answer: Answer) -> wit::Answer {
        let answer = translate::answer(answer, &self.service, &self.files);
        self.fetching = self.files.ahead(&answer.files, &self.service.shared.io);
        answer
    }

    /// An event for the guest; `None` for what it has no use for.
    fn event(&mut self, event: Event) -> Option<wit::Event> {
        match event {
            Event::Done(answer) => {
                let rest = self.text.rest(&self.files);
                if rest.is_empty() {
                    return Some(wit::Event::Done(self.answer(*answer)));
                }
                self.end = Some(answer);
                Some(wit::Event::Text(rest))
            }
            Event::Text(text) => {
                let ready = self.text.push(&text, &self.files);
                (!ready.is_empty()).then_some(wit::Event::Text(ready))
            }
            Event::Replace(_) => {
                self.text = LinkPieces::default();
                translate::event(event, &self.files)
            }
            event => translate::event(event, &self.files),
        }
    }

    async fn receive(&mut self) -> Result<Option<Event>, wit::Error> {
        if self.over {
            return Ok(None);
        }
        let event = match self.events.recv().await {
            Some(Ok(event)) => event,
            Some(Err(error)) => {
                self.over = true;
                return Err(failed(&self.service, &error));
            }
            None => {
                self.over = true;
                return Err(translate::lost());
            }
        };
        self.over = matches!(event, Event::Done(_));
        Ok(Some(event))
    }
}

/// Notes Dify's failure for the operator, once, and gives the guest the caller's words.
fn failed(service: &Inner, error: &Error) -> wit::Error {
    tracing::warn!(app = %service.record.slug, code = error.code(), error = %error.operator(), "a run failed");
    translate::error(error)
}

impl Run for CallRun {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<wit::Event>, wit::Error>> {
        Box::pin(async move {
            if let Some(answer) = self.end.take() {
                return Ok(Some(wit::Event::Done(self.answer(*answer))));
            }
            loop {
                let Some(event) = self.receive().await? else {
                    return Ok(None);
                };
                if let Some(event) = self.event(event) {
                    return Ok(Some(event));
                }
            }
        })
    }

    fn finish(&mut self) -> BoxFuture<'_, Result<wit::Answer, wit::Error>> {
        Box::pin(async move {
            if let Some(answer) = self.end.take() {
                return Ok(self.answer(*answer));
            }
            loop {
                match self.receive().await? {
                    Some(Event::Done(answer)) => {
                        return Ok(self.answer(*answer));
                    }
                    Some(_) => {}
                    None => return Err(translate::over()),
                }
            }
        })
    }

    fn stop(&mut self) -> BoxFuture<'_, ()> {
        self.stop.cancel();
        Box::pin(std::future::ready(()))
    }
}
