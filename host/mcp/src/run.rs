//! One request's own task: it runs what was asked, lets through what is said meanwhile, and answers once.

use std::{pin::pin, sync::Arc};

use bytes::Bytes;
use http::StatusCode;
use tokio::{
    sync::mpsc::{self, OwnedPermit},
    time::{sleep, timeout},
};

use crate::{
    Answers, CallError, CallResult, Capabilities, Context, End, Log, Questions, ToolServer,
    Version,
    asking::{Asking, ROUNDS_MAX, Unanswered},
    call::{Out, Prepared},
    fault::Fault,
    job::{Ask, Ended},
    questions,
    result::{self, To, refusal, response},
    serve::Shared,
};

pub(crate) async fn run(
    shared: Arc<Shared>,
    server: Arc<dyn ToolServer>,
    prepared: Prepared,
    outbox: mpsc::Sender<Out>,
    reply: Reply,
) {
    let Prepared {
        version,
        ask,
        answers,
        client,
        session,
        level,
        streams,
        progress: (progress, mut notifications),
        place,
        ..
    } = prepared;
    let asking = session.filter(|_| streams).map(|session| Asking {
        mailbox: Arc::clone(&shared.mailbox),
        session,
        version,
        declared: client.capabilities,
        out: outbox.downgrade(),
        config: shared.config,
    });
    let cancelled = place.cancelled.clone();
    let context = Context {
        client,
        session,
        progress,
        log: Log::new(level, &outbox),
        cancelled: cancelled.clone(),
    };
    // "Disconnect MUST be a cancel" in the modern era (basic/transports, 2026-07-28); before, it SHOULD NOT be one.
    let hangup_grace = if version.is_modern() {
        None
    } else {
        Some(shared.config.hangup_grace)
    };
    let mut running = Box::pin(ended(
        server.clone(),
        ask,
        answers,
        context,
        version,
        asking,
    ));
    {
        let mut hangup = pin!(async {
            outbox.closed().await;
            if let Some(grace) = hangup_grace {
                sleep(grace).await;
            }
        });
        loop {
            tokio::select! {
                biased;
                () = server.gone().cancelled() => break reply.send(Err(CallError::Gone)),
                () = cancelled.cancelled() => break reply.cancelled(),
                outcome = &mut running => {
                    if let Some(last) = notifications.last() {
                        let _ = outbox.try_send(Out::Note(last));
                    }
                    return reply.send(outcome);
                }
                notification = notifications.next() => {
                    let _ = outbox.try_send(Out::Note(notification));
                }
                () = &mut hangup => break drop(reply),
            }
        }
    }
    // The client has its answer; what the request holds gets a moment to be given back.
    drop(outbox);
    cancelled.cancel();
    let _ = timeout(shared.config.wind_down, running).await;
}

/// Asks the server, and for clients of the `initialize` era also what it wants to know, until there is an end.
async fn ended(
    server: Arc<dyn ToolServer>,
    ask: Ask,
    mut answers: Option<Answers>,
    context: Context,
    version: Version,
    asking: Option<Asking>,
) -> Result<End<Ended>, CallError> {
    for _ in 0..ROUNDS_MAX {
        let questions = match ask.start(&server, answers, None, context.clone()).await? {
            End::InputRequired(questions) if !version.is_modern() => questions,
            end => return Ok(end),
        };
        let asked = async {
            match &asking {
                Some(asking) => asking.ask(questions).await,
                None => Err(Unanswered::Deaf),
            }
        };
        answers = Some(tokio::select! {
            biased;
            () = context.cancelled.cancelled() => return Err(CallError::Cancelled),
            answered = asked => match answered {
                Ok(answers) => answers,
                Err(why) => return unanswered(&ask, &why),
            },
        });
    }
    tracing::warn!(name = ask.name(), "questions without end");
    unanswered(&ask, &Unanswered::Malformed)
}

/// For a tool it is the tool's failure, which an AI can read.
fn unanswered(ask: &Ask, why: &Unanswered) -> Result<End<Ended>, CallError> {
    match ask {
        Ask::Call { .. } => Ok(End::Complete(Ended::Call(CallResult::error(
            &why.to_string(),
        )))),
        Ask::Read { .. } | Ask::Prompt { .. } | Ask::Complete { .. } => {
            Err(CallError::Internal(why.to_string()))
        }
    }
}

/// The one answer of a request, with its room in the channel. If what runs panics, dropping this still answers: a stream
/// that ends without a response leaves Dify waiting for ever.
pub(crate) struct Reply {
    pub(crate) shared: Arc<Shared>,
    pub(crate) server: Arc<dyn ToolServer>,
    pub(crate) id: Box<str>,
    pub(crate) version: Version,
    pub(crate) ask: Ask,
    pub(crate) declared: Capabilities,
    pub(crate) room: Option<OwnedPermit<Out>>,
}

impl Reply {
    /// For a request whose answer needs no channel.
    pub(crate) fn alone(
        shared: &Arc<Shared>,
        server: &Arc<dyn ToolServer>,
        prepared: &Prepared,
    ) -> Self {
        Self {
            shared: Arc::clone(shared),
            server: Arc::clone(server),
            id: prepared.id.clone(),
            version: prepared.version,
            ask: prepared.ask.clone(),
            declared: prepared.client.capabilities,
            room: None,
        }
    }

    fn send(mut self, outcome: Result<End<Ended>, CallError>) {
        let (status, message) = self.render(outcome);
        self.put(Out::Answer(status, message));
    }

    /// The response, and the status it has where it stands alone.
    pub(crate) fn render(&self, outcome: Result<End<Ended>, CallError>) -> (StatusCode, Bytes) {
        match outcome {
            Ok(End::Complete(ended)) => self.response(Ok(ended)),
            Ok(End::InputRequired(questions)) => match self.input_required(&questions) {
                Ok(result) => (StatusCode::OK, crate::reply::result(&self.id, &result)),
                Err(fault) => refusal(&self.id, &fault),
            },
            Err(error) => self.response(Err(error)),
        }
    }

    fn cancelled(mut self) {
        let (_, message) = self.response(Err(CallError::Cancelled));
        self.put(Out::Cancelled(message));
    }

    fn put(&mut self, out: Out) {
        if let Some(room) = self.room.take() {
            room.send(out);
        }
    }

    fn to(&self) -> To<'_> {
        To {
            id: &self.id,
            version: self.version,
            server: &*self.server,
        }
    }

    fn response(&self, outcome: Result<Ended, CallError>) -> (StatusCode, Bytes) {
        response(&self.to(), &self.ask, outcome)
    }

    fn input_required(&self, questions: &Questions) -> Result<Vec<u8>, Fault> {
        let malformed = |why| {
            tracing::warn!(
                why,
                name = self.ask.name(),
                "questions that cannot be asked"
            );
            Fault::Internal(Unanswered::Malformed.to_string())
        };
        let read = questions::read(questions).map_err(malformed)?;
        for question in &read {
            let needs = question
                .needs()
                .ok_or_else(|| malformed("no client can be asked this"))?;
            if !self.declared.has(needs) {
                return Err(Fault::MissingCapability(needs));
            }
        }
        let to = self.to();
        let mut out = result::Out::new(&to);
        if !read.is_empty() {
            out.put("inputRequests", &questions.requests);
        }
        // "At least one of inputRequests or requestState MUST be present" (InputRequiredResult).
        if !questions.state.is_empty() || read.is_empty() {
            let token = self
                .shared
                .states
                .seal(&*self.server, &self.ask, &questions.state)
                .ok_or_else(|| Fault::Internal("The call failed inside the server".to_owned()))?;
            out.put("requestState", &token);
        }
        out.meta(None);
        Ok(out.end_as("input_required"))
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if self.room.is_some() {
            let failed = CallError::Internal("The call failed inside the server".to_owned());
            let (status, message) = self.response(Err(failed));
            self.put(Out::Answer(status, message));
        }
    }
}
