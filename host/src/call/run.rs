//! One run of the app: its I/O on the host's own threads, what comes of it handed over to the guest's.

use std::sync::Arc;

use airlock_dify::{Answer, App, Error, Event, RunRequest};
use airlock_sandbox::{BoxFuture, Run, wit};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::service::Inner;
use super::translate;

/// Events that wait for a guest to read them. A guest that is slower than Dify slows the reading down, and with it Dify.
const WAITING: usize = 64;

/// A run that has not begun.
pub(super) struct NewRun {
    pub(super) service: Arc<Inner>,
    pub(super) app: App,
    pub(super) request: RunRequest,
    pub(super) cancelled: CancellationToken,
    /// Takes what Dify's events are worth to the person who waits.
    pub(super) report: Box<dyn Fn(String) + Send>,
}

impl NewRun {
    /// Runs the app to its end: no event crosses to the guest's threads. Dropping the future stops the run.
    pub(super) async fn to_its_end(self) -> Result<wit::Answer, wit::Error> {
        let service = Arc::clone(&self.service);
        let (mut answer_to, answer) = oneshot::channel();
        service.shared.io.clone().spawn(async move {
            let service = Arc::clone(&self.service);
            let cancelled = self.cancelled.clone();
            let ended = tokio::select! {
                biased;
                () = over(&cancelled, &service) => return,
                () = answer_to.closed() => return,
                ended = self.answer() => ended,
            };
            // The guest may be gone; then nobody wants to know.
            let _ = answer_to.send(ended);
        });
        match answer.await {
            Ok(Ok(answer)) => Ok(translate::answer(*answer, &service)),
            Ok(Err(error)) => Err(failed(&service, &error)),
            Err(_) => Err(translate::lost()),
        }
    }

    async fn answer(self) -> Result<Box<Answer>, Error> {
        let mut messages = translate::Messages::default();
        let mut run = self.app.run(self.request).await?;
        loop {
            match run.next().await? {
                Some(Event::Done(answer)) => return Ok(answer),
                Some(event) => {
                    if let Some(message) = messages.of(&event) {
                        (self.report)(message);
                    }
                }
                None => {
                    return Err(Error::Incomplete {
                        cause: "the run ended without a last event".to_owned(),
                        ids: run.ids().clone(),
                    });
                }
            }
        }
    }

    /// Starts the app, to be followed event by event.
    pub(super) async fn start(self) -> Result<CallRun, wit::Error> {
        let service = Arc::clone(&self.service);
        let (events_to, events) = mpsc::channel(WAITING);
        let (started_to, started) = oneshot::channel();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        service.shared.io.clone().spawn(async move {
            let service = Arc::clone(&self.service);
            let cancelled = self.cancelled.clone();
            let gone = events_to.clone();
            tokio::select! {
                biased;
                () = over(&cancelled, &service) => {}
                () = gone.closed() => {}
                () = self.drive(started_to, events_to, stopped) => {}
            }
        });
        match started.await {
            Ok(Ok(())) => Ok(CallRun {
                service,
                events,
                stop,
                over: false,
            }),
            Ok(Err(error)) => Err(failed(&service, &error)),
            Err(_) => Err(translate::lost()),
        }
    }

    async fn drive(
        self,
        started: oneshot::Sender<Result<(), Error>>,
        events: mpsc::Sender<Result<Event, Error>>,
        stop: CancellationToken,
    ) {
        let mut messages = translate::Messages::default();
        let run = self.app.run(self.request).await;
        let (mut run, begun) = match run {
            Ok(run) => (Some(run), Ok(())),
            Err(error) => (None, Err(error)),
        };
        // The guest may be gone; then nobody wants to know.
        let _ = started.send(begun);
        let mut stopped = false;
        while let Some(run) = &mut run {
            let event = tokio::select! {
                biased;
                () = stop.cancelled(), if !stopped => {
                    stopped = true;
                    run.stop().await;
                    continue;
                }
                event = run.next() => event,
            };
            let Some(event) = event.transpose() else {
                return;
            };
            if let Some(message) = event.as_ref().ok().and_then(|event| messages.of(event)) {
                (self.report)(message);
            }
            let last = matches!(event, Err(_) | Ok(Event::Done(_)));
            if events.send(event).await.is_err() || last {
                return;
            }
        }
    }
}

/// What ends a run early. The tokens are watched here too, though they end the guest's side by themselves: when an
/// address dies, a run that waits for a slot must not get the one that its neighbour has just left.
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
    events: mpsc::Receiver<Result<Event, Error>>,
    stop: CancellationToken,
    over: bool,
}

impl CallRun {
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
            loop {
                let Some(event) = self.receive().await? else {
                    return Ok(None);
                };
                if let Some(event) = translate::event(event, &self.service) {
                    return Ok(Some(event));
                }
            }
        })
    }

    fn finish(&mut self) -> BoxFuture<'_, Result<wit::Answer, wit::Error>> {
        Box::pin(async move {
            loop {
                match self.receive().await? {
                    Some(Event::Done(answer)) => {
                        return Ok(translate::answer(*answer, &self.service));
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
