//! One run of the app: its I/O on the host's own threads, its events handed over to the guest's.

use std::sync::Arc;

use airlock_dify::{App, Error, Event, Pause, RunRequest};
use airlock_sandbox::{BoxFuture, Run, wit};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::journal::{Journal, Step};
use super::service::Inner;
use super::translate;

/// Events that wait for a guest to read them. A guest that is slower than Dify slows the reading down, and with it Dify.
const WAITING: usize = 64;

/// The guest's end. Dropping it ends the task at the other end, which drops Dify's run, and that stops it.
pub(super) struct CallRun {
    service: Arc<Inner>,
    events: mpsc::Receiver<Result<Event, Error>>,
    stop: CancellationToken,
    progress: Box<dyn FnMut(&Event) + Send>,
    over: bool,
}

impl CallRun {
    pub(super) async fn start(
        service: &Arc<Inner>,
        app: App,
        request: RunRequest,
        journal: Option<Arc<Journal>>,
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
        let driven = drive(
            app,
            request,
            journal,
            started_to,
            events_to,
            stop.clone(),
            over,
        );
        service.shared.io.spawn(driven);
        match started.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(failed(service, &error)),
            Err(_) => return Err(translate::lost()),
        }
        let mut messages = translate::Messages::default();
        Ok(Self {
            service: Arc::clone(service),
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

/// A run of a call that keeps a journal.
struct Noted {
    journal: Arc<Journal>,
    /// Where to write down its names once Dify gives them; none of a run that an earlier process has started.
    place: Option<usize>,
    followed: bool,
}

/// Starts the run, or finds the one that the call has started before. `None` where it must not be started.
async fn begin(
    app: &App,
    request: RunRequest,
    journal: Option<Arc<Journal>>,
) -> Option<Result<(airlock_dify::Run, Option<Noted>), Error>> {
    let Some(journal) = journal else {
        return Some(app.run(request).await.map(|run| (run, None)));
    };
    // Inputs that do not fit are refused before anything is written down.
    if let Err(error) = request.body() {
        return Some(Err(error));
    }
    let step = match journal.next(&request).await {
        Ok(step) => step,
        Err(why) => {
            tracing::warn!(%why, "a task's run was not started");
            return None;
        }
    };
    let (run, place) = match step {
        Step::Follow(known) => (app.follow(&known, Pause::Ends), None),
        Step::Start(place) => match app.run(request).await {
            Ok(run) => (run, Some(place)),
            Err(error) => return Some(Err(error)),
        },
    };
    let noted = Noted {
        journal,
        followed: place.is_none(),
        place,
    };
    Some(Ok((run, Some(noted))))
}

impl Noted {
    async fn name(&mut self, run: &airlock_dify::Run) {
        if let Some(place) = self.place
            && let Some(known) = run.known()
        {
            self.place = None;
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

/// Stops the run, if it is not over, unless the next process goes on with its call.
fn let_go(run: airlock_dify::Run, noted: Option<Noted>) {
    if noted.is_some_and(|noted| noted.journal.is_left()) {
        run.leave();
    }
}

/// Runs on the host's threads until the run or the guest's end is over.
async fn drive(
    app: App,
    request: RunRequest,
    journal: Option<Arc<Journal>>,
    started: oneshot::Sender<Result<(), Error>>,
    events: mpsc::Sender<Result<Event, Error>>,
    stop: CancellationToken,
    over: Over,
) {
    let (mut run, mut noted) = tokio::select! {
        biased;
        () = over.is() => return,
        begun = begin(&app, request, journal) => match begun {
            Some(Ok(begun)) => begun,
            Some(Err(error)) => {
                // The guest may be gone; then nobody wants to know.
                let _ = started.send(Err(error));
                return;
            }
            None => return,
        },
    };
    let _ = started.send(Ok(()));
    let mut stopped = false;
    loop {
        let event = tokio::select! {
            biased;
            () = over.is() => return let_go(run, noted),
            () = stop.cancelled(), if !stopped => {
                stopped = true;
                run.stop().await;
                continue;
            }
            event = run.next() => event,
        };
        if let Some(noted) = &mut noted {
            noted.name(&run).await;
        }
        let message = match event {
            Ok(Some(event)) => Ok(event),
            Ok(None) => return,
            Err(error) => {
                if let Some(noted) = noted.as_ref().filter(|noted| noted.lost(&error)) {
                    tracing::warn!(error = %error.operator(), "a task's run is lost");
                    noted.journal.interrupt();
                    return;
                }
                Err(error)
            }
        };
        let last = matches!(message, Err(_) | Ok(Event::Done(_)));
        if events.send(message).await.is_err() || last {
            return let_go(run, noted);
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
