//! A call that may become a task: answered at once if it ends soon, else with the task's id.

use std::{pin::pin, sync::Arc};

use bytes::Bytes;
use http::StatusCode;
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

use super::{
    TaskKey, TaskStore,
    follow::{Following, end, running},
    record::{Record, Status},
    store::Stored,
};
use crate::{
    CallError, End, Stage, Task, ToolServer, Version,
    call::Prepared,
    fault::Fault,
    job::{Ask, Ended},
    result::{Out, To, refusal},
    run::Reply,
    serve::Shared,
    tools::TaskSupport,
};

/// A call of a client that follows tasks, to a tool whose calls may become some.
pub(crate) struct Begin {
    pub(crate) prepared: Prepared,
    pub(crate) key: TaskKey,
    pub(crate) support: TaskSupport,
}

/// The call's response. Dropping the future before there is one is a hang-up, and ends the call.
pub(crate) async fn begin(
    shared: &Arc<Shared>,
    server: &Arc<dyn ToolServer>,
    begin: Begin,
) -> (StatusCode, Bytes) {
    let (answer, answered) = oneshot::channel();
    let id = begin.prepared.id.clone();
    tokio::spawn(run(Arc::clone(shared), Arc::clone(server), begin, answer));
    answered.await.unwrap_or_else(|_panicked| {
        refusal(
            &id,
            &Fault::Internal("The call failed inside the server".to_owned()),
        )
    })
}

type Answer = oneshot::Sender<(StatusCode, Bytes)>;

async fn run(shared: Arc<Shared>, server: Arc<dyn ToolServer>, begin: Begin, mut answer: Answer) {
    let Begin {
        prepared,
        key,
        support,
    } = begin;
    let reply = Reply::alone(&shared, &server, &prepared);
    let Prepared {
        ask,
        answers,
        client,
        place,
        ..
    } = prepared;
    let cancelled = place.cancelled.clone();
    let task = Task {
        key,
        stage: Stage::New,
    };
    let mut call = running(&server, &ask, answers, client.clone(), task, &place);
    let outcome = {
        let mut budget = pin!(sleep(shared.config.task_after));
        tokio::select! {
            biased;
            () = server.gone().cancelled() => Some(Err(CallError::Gone)),
            outcome = &mut call => Some(outcome),
            () = &mut budget => None,
            () = answer.closed() => {
                cancelled.cancel();
                let _ = timeout(shared.config.wind_down, call).await;
                return;
            }
        }
    };
    let (Some(store), Ask::Call { tool, arguments }) = (server.tasks().cloned(), ask) else {
        return; // Whoever begins a task has looked for both.
    };
    let ttl = shared.config.task_ttl;
    let record = |status| Record::new(tool, (*arguments).to_owned(), &client, ttl, status);
    match (outcome, support) {
        // Questions that come before there is a task are asked as ever: the client sends the call again.
        (Some(outcome @ Ok(End::InputRequired(_))), _) | (Some(outcome), TaskSupport::Optional) => {
            let _ = answer.send(reply.render(outcome));
        }
        (Some(outcome), TaskSupport::Required) => {
            let record = record(end(&shared, &server, &client, outcome));
            let created = create(&shared, &server, &*store, key, &record, &reply).await;
            let _ = answer.send(created.unwrap_or_else(|fault| refusal(&reply.id, &fault)));
        }
        (None, TaskSupport::Optional | TaskSupport::Required) => {
            let record = record(Status::Working(None));
            // Listed before anybody can know of it, so that nobody can cancel what is not yet there.
            let _listed = shared.running.list(server.app(), key, cancelled.clone());
            let created = create(&shared, &server, &*store, key, &record, &reply).await;
            let is_task = created.is_ok();
            let message = created.unwrap_or_else(|fault| refusal(&reply.id, &fault));
            let was_heard = answer.send(message).is_ok();
            if !is_task || !was_heard {
                cancelled.cancel();
            }
            let following = Following {
                shared: Arc::clone(&shared),
                server,
                store,
                key,
            };
            following.follow(call, &client, &cancelled).await;
            if is_task && !was_heard {
                following.turn(Status::Cancelled).await;
            }
        }
    }
    drop(place);
}

/// "MUST NOT return CreateTaskResult before the task is durably created" (SEP-2663).
async fn create(
    shared: &Shared,
    server: &Arc<dyn ToolServer>,
    store: &dyn TaskStore,
    key: TaskKey,
    record: &Record,
    reply: &Reply,
) -> Result<(StatusCode, Bytes), Fault> {
    let stored = store.create(key, record.to_row()).await.map_err(|error| {
        tracing::error!(%error, "a task was not kept");
        Fault::Internal("The task could not be kept: try again later".to_owned())
    })?;
    if stored != Stored::Kept {
        return Err(Fault::TooManyTasks);
    }
    let to = To {
        id: &reply.id,
        version: Version::V2026_07_28,
        server: &**server,
    };
    let mut out = Out::new(&to);
    for (name, value) in record.summary(&shared.task_ids.seal(&**server, key)) {
        out.put(name, &value);
    }
    out.meta(None);
    let result = crate::reply::result(&reply.id, &out.end_as("task"));
    Ok((StatusCode::OK, result))
}

/// What a task's call came to.
pub(super) type Outcome = Result<End<Ended>, CallError>;
