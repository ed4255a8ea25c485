//! Calls: how their answers travel, and what ends one early.
//!
//! A call runs on a task of its own, so that it can outlive the request that brought it. The task and the response meet
//! in a channel: a response that is dropped closes it, and that is how the task learns that the client hung up.

use std::{pin::pin, sync::Arc};

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::value::RawValue;
use tokio::{
    sync::mpsc::{self, OwnedPermit},
    time::{sleep, timeout},
};

use crate::{
    Body, Call, CallError, CallResult, Client, Config, Context, End, Log, Nonce, Progress,
    ToolServer, Version, accept::Accept, inflight::Place, progress::Notifications, reply,
    result::response,
};

/// A call that was understood, and has its place.
pub(crate) struct Prepared {
    pub(crate) id: Box<str>,
    pub(crate) version: Version,
    pub(crate) tool: String,
    pub(crate) arguments: Box<RawValue>,
    pub(crate) client: Client,
    pub(crate) session: Option<Nonce>,
    pub(crate) progress: (Progress, Notifications),
    pub(crate) place: Place,
}

/// All that one POST asked for and that is not yet answered.
pub(crate) struct Pending {
    pub(crate) calls: Vec<Prepared>,
    /// Responses to the rest of the batch.
    pub(crate) ready: Vec<Bytes>,
    pub(crate) shape: Shape,
}

/// How responses are put together in a JSON body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Single,
    Batch,
}

/// A message on its way to the client.
#[derive(Debug)]
pub(crate) enum Out {
    Progress(Bytes),
    Answer(Bytes),
    /// The response to a call that the client itself cancelled: for the wire only where something must be said.
    Cancelled(Bytes),
}

/// Progress notifications that may wait for a slow reader; newer ones are dropped then, since more will come.
const PROGRESS_ROOM: usize = 8;

/// Starts the calls and answers as soon as it is known how: JSON if all end within the grace, else events. Dropping the
/// future is a hang-up.
pub(crate) async fn answer(
    config: Config,
    server: &Arc<dyn ToolServer>,
    pending: Pending,
    accept: Accept,
) -> Response<Body> {
    let Pending {
        calls,
        ready: mut messages,
        shape,
    } = pending;
    let (outbox, mut inbox) = mpsc::channel(calls.len() + PROGRESS_ROOM);
    for call in calls {
        let room = outbox
            .clone()
            .try_reserve_owned()
            .expect("the channel has room for every answer");
        let reply = Reply {
            id: call.id.clone(),
            version: call.version,
            tool: call.tool.clone(),
            room: Some(room),
        };
        tokio::spawn(run(config, Arc::clone(server), call, outbox.clone(), reply));
    }
    drop(outbox); // The channel ends with the last call.

    let mut grace = pin!(sleep(config.grace));
    loop {
        tokio::select! {
            biased;
            out = inbox.recv() => match out {
                Some(Out::Answer(message) | Out::Cancelled(message)) => messages.push(message),
                Some(Out::Progress(message)) => {
                    messages.push(message);
                    return reply::events(Body::events(&messages, inbox, config.comment_every));
                }
                None => return whole(&messages, shape, accept),
            },
            () = &mut grace, if accept.events => {
                return reply::events(Body::events(&messages, inbox, config.comment_every));
            }
        }
    }
}

fn whole(messages: &[Bytes], shape: Shape, accept: Accept) -> Response<Body> {
    if !accept.json {
        return reply::events(Body::full(
            messages
                .iter()
                .map(|it| crate::body::event(it))
                .collect::<Vec<_>>()
                .concat()
                .into(),
        ));
    }
    let body = match (shape, messages) {
        (Shape::Single, [message]) => message.clone(),
        _ => [b"[", messages.join(&b","[..]).as_slice(), b"]"]
            .concat()
            .into(),
    };
    reply::json(StatusCode::OK, body)
}

async fn run(
    config: Config,
    server: Arc<dyn ToolServer>,
    prepared: Prepared,
    outbox: mpsc::Sender<Out>,
    reply: Reply,
) {
    let Prepared {
        tool,
        arguments,
        client,
        session,
        progress: (progress, mut notifications),
        place,
        ..
    } = prepared;
    let cancelled = place.cancelled.clone();
    let mut running = server.call(Call {
        tool,
        arguments,
        answers: None,
        task: None,
        context: Context {
            client,
            session,
            progress,
            log: Log::off(),
            cancelled: cancelled.clone(),
        },
    });
    {
        let mut hangup = pin!(async {
            outbox.closed().await;
            sleep(config.hangup_grace).await;
        });
        loop {
            tokio::select! {
                biased;
                () = server.gone().cancelled() => break reply.send(Err(CallError::Gone)),
                () = cancelled.cancelled() => break reply.cancelled(),
                outcome = &mut running => {
                    if let Some(last) = notifications.last() {
                        let _ = outbox.try_send(Out::Progress(last));
                    }
                    return reply.send(outcome.map(|end| match end {
                        End::Complete(result) => result,
                        End::InputRequired(_) => CallResult::error(
                            "This tool has to ask something before it can go on, and this client cannot be asked.",
                        ),
                    }));
                }
                notification = notifications.next() => {
                    let _ = outbox.try_send(Out::Progress(notification));
                }
                () = &mut hangup => break drop(reply),
            }
        }
    }
    // The client has its answer; what the call holds gets a moment to be given back.
    drop(outbox);
    cancelled.cancel();
    let _ = timeout(config.wind_down, running).await;
}

/// The one answer of a call, with its room in the channel. If the call panics, dropping this still answers: a stream
/// that ends without a response leaves Dify waiting for ever.
struct Reply {
    id: Box<str>,
    version: Version,
    tool: String,
    room: Option<OwnedPermit<Out>>,
}

impl Reply {
    fn send(mut self, outcome: Result<CallResult, CallError>) {
        self.put(Out::Answer, outcome);
    }

    fn cancelled(mut self) {
        self.put(Out::Cancelled, Err(CallError::Cancelled));
    }

    fn put(&mut self, kind: fn(Bytes) -> Out, outcome: Result<CallResult, CallError>) {
        if let Some(room) = self.room.take() {
            room.send(kind(response(&self.id, self.version, &self.tool, outcome)));
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.put(
            Out::Answer,
            Err(CallError::Internal(
                "The call failed inside the server".to_owned(),
            )),
        );
    }
}
