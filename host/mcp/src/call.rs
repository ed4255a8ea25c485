//! Requests that take time: how their answers travel.
//!
//! Each can outlive the request that brought it. It and the response meet in a channel: a response that is dropped closes it,
//! and that is how it learns that the client hung up. One that outlives its request goes on in a task of its own ([`crate::here`]).

use std::{pin::pin, sync::Arc};

use bytes::Bytes;
use http::{Response, StatusCode};
use tokio::{sync::mpsc, time::sleep};

use crate::{
    Answers, Body, Client, Level, Progress, SessionKey, ToolServer, Version,
    accept::Accept,
    here::Here,
    inflight::Place,
    job::Ask,
    progress::Notifications,
    reply,
    run::{Reply, run},
    serve::Shared,
};

/// A request that was understood, and has its place.
pub(crate) struct Prepared {
    pub(crate) id: Box<str>,
    pub(crate) version: Version,
    pub(crate) ask: Ask,
    pub(crate) answers: Option<Answers>,
    pub(crate) client: Client,
    pub(crate) session: Option<SessionKey>,
    /// The least severe of the log messages that the client wants.
    pub(crate) level: Option<Level>,
    /// Whether anything but the answer can reach the client.
    pub(crate) streams: bool,
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
    /// A notification, or a request of our own.
    Note(Bytes),
    /// The response, and the status that it has where it stands alone.
    Answer(StatusCode, Bytes),
    /// The response to a call that the client itself cancelled: for the wire only where something must be said.
    Cancelled(Bytes),
}

/// Notifications that may wait for a slow reader; newer ones are dropped then. Of progress more will come, and a log that
/// holds up its call is worth less than one with gaps.
const NOTES_ROOM: usize = 32;

/// Starts the calls and answers as soon as it is known how: JSON if all end within the grace, else events. Dropping the
/// future is a hang-up.
pub(crate) async fn answer(
    shared: &Arc<Shared>,
    server: &Arc<dyn ToolServer>,
    pending: Pending,
    accept: Accept,
) -> Response<Body> {
    let Pending {
        calls,
        ready: mut messages,
        shape,
    } = pending;
    let (outbox, mut inbox) = mpsc::channel(calls.len() + NOTES_ROOM);
    let alone = calls.len() == 1;
    let mut here = Here::default();
    for call in calls {
        let room = outbox
            .clone()
            .try_reserve_owned()
            .expect("the channel has room for every answer");
        let reply = Reply {
            shared: Arc::clone(shared),
            server: Arc::clone(server),
            id: call.id.clone(),
            version: call.version,
            ask: call.ask.clone(),
            declared: call.client.capabilities,
            room: Some(room),
        };
        let (shared, server) = (Arc::clone(shared), Arc::clone(server));
        let running = run(shared, server, call, outbox.clone(), reply);
        if alone {
            here = Here::new(running);
        } else {
            tokio::spawn(running);
        }
    }
    drop(outbox); // The channel ends with the last call.

    let config = shared.config;
    let mut grace = pin!(sleep(config.grace));
    let mut status = StatusCode::OK;
    loop {
        tokio::select! {
            biased;
            out = inbox.recv() => match out {
                Some(Out::Answer(its, message)) => {
                    status = its;
                    messages.push(message);
                }
                Some(Out::Cancelled(message)) => messages.push(message),
                Some(Out::Note(message)) => {
                    messages.push(message);
                    return reply::events(Body::events(&messages, inbox, config.comment_every));
                }
                None => return whole(&messages, shape, accept, status),
            },
            () = here.ended() => {}
            () = &mut grace, if accept.events => {
                return reply::events(Body::events(&messages, inbox, config.comment_every));
            }
        }
    }
}

fn whole(messages: &[Bytes], shape: Shape, accept: Accept, status: StatusCode) -> Response<Body> {
    // A batch has many answers and one status.
    let status = match shape {
        Shape::Single => status,
        Shape::Batch => StatusCode::OK,
    };
    if !accept.json && status == StatusCode::OK {
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
    reply::json(status, body)
}
