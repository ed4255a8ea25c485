//! One run of the app: its I/O on the host's own threads, its events handed over to the guest's.

use std::sync::Arc;

use airlock_dify::{Answer, App, Error, Event, RunRequest};
use airlock_sandbox::{BoxFuture, Run, wit};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::service::Inner;
use super::translate;
use crate::files::{CallFiles, LinkPieces};

/// Events that wait for a guest to read them. A guest that is slower than Dify slows the reading down, and with it Dify.
const WAITING: usize = 64;

/// The guest's end. Dropping it ends the task at the other end, which drops Dify's run, and that stops it.
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
    progress: Box<dyn FnMut(&Event) + Send>,
    over: bool,
}

impl CallRun {
    pub(super) async fn start(
        service: &Arc<Inner>,
        files: &Arc<CallFiles>,
        app: App,
        request: RunRequest,
        cancelled: CancellationToken,
        report: impl Fn(String) + Send + 'static,
    ) -> Result<Self, wit::Error> {
        let (events_to, events) = mpsc::channel(WAITING);
        let (started_to, started) = oneshot::channel();
        let stop = CancellationToken::new();
        let over = Over {
            cancelled,
            revoked: service.revoked.clone(),
            events: events_to.clone(),
        };
        let driven = drive(app, request, started_to, events_to, stop.clone(), over);
        service.shared.io.spawn(driven);
        match started.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(failed(service, &error)),
            Err(_) => return Err(translate::lost()),
        }
        let mut messages = translate::Messages::default();
        Ok(Self {
            service: Arc::clone(service),
            files: Arc::clone(files),
            text: LinkPieces::default(),
            end: None,
            fetching: None,
            events,
            stop,
            progress: Box::new(move |event| {
                if let Some(message) = messages.of(event) {
                    report(message);
                }
            }),
            over: false,
        })
    }

    /// The end, for the guest. Its files are fetched meanwhile: their addresses expire.
    fn answer(&mut self, answer: Answer) -> wit::Answer {
        let answer = translate::answer(answer, &self.service, &self.files);
        let fetching = self
            .files
            .ahead(answer.files.clone(), &self.service.shared.io);
        self.fetching = Some(fetching);
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
        (self.progress)(&event);
        self.over = matches!(event, Event::Done(_));
        Ok(Some(event))
    }
}

/// What ends a run early. The tokens are watched here too, though they end the guest's side by themselves: when an
/// address dies, a run that waits for a slot must not get the one that its neighbour has just left.
struct Over {
    cancelled: CancellationToken,
    revoked: CancellationToken,
    events: mpsc::Sender<Result<Event, Error>>,
}

impl Over {
    async fn is(&self) {
        tokio::select! {
            () = self.cancelled.cancelled() => {}
            () = self.revoked.cancelled() => {}
            () = self.events.closed() => {}
        }
    }
}

/// Runs on the host's threads until the run or the guest's end is over.
async fn drive(
    app: App,
    request: RunRequest,
    started: oneshot::Sender<Result<(), Error>>,
    events: mpsc::Sender<Result<Event, Error>>,
    stop: CancellationToken,
    over: Over,
) {
    let mut run = tokio::select! {
        biased;
        () = over.is() => return,
        run = app.run(request) => match run {
            Ok(run) => run,
            Err(error) => {
                // The guest may be gone; then nobody wants to know.
                let _ = started.send(Err(error));
                return;
            }
        },
    };
    let _ = started.send(Ok(()));
    let mut stopped = false;
    loop {
        let event = tokio::select! {
            biased;
            () = over.is() => return,
            () = stop.cancelled(), if !stopped => {
                stopped = true;
                run.stop().await;
                continue;
            }
            event = run.next() => event,
        };
        let message = match event {
            Ok(Some(event)) => Ok(event),
            Ok(None) => return,
            Err(error) => Err(error),
        };
        let last = matches!(message, Err(_) | Ok(Event::Done(_)));
        if events.send(message).await.is_err() || last {
            return;
        }
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
