//! `tasks/get`, `tasks/update`, `tasks/cancel`; and what becomes of tasks when the server was restarted.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use serde_json::value::RawValue;

use super::{
    TaskKey, TaskStore, TaskStoreError,
    follow::{ATTEMPTS, Following, failed, running},
    record::{Field, Record, Status},
    store::Stored,
};
use crate::{
    Answers, Mcp, Stage, Task, ToolServer, Version,
    fault::Fault,
    inflight::Place,
    job::{Ask, invalid},
    replicas::Word,
    result::{Out, To, refusal},
};

/// What a client wants of a task.
pub(crate) enum Method {
    Get,
    /// With `inputResponses`.
    Update(Box<RawValue>),
    Cancel,
}

/// One such request.
pub(crate) struct TaskRequest {
    pub(crate) id: Box<str>,
    /// As the client has it.
    pub(crate) task: String,
    pub(crate) key: TaskKey,
    pub(crate) method: Method,
}

/// The response.
pub(crate) async fn handle(
    mcp: &Mcp,
    server: &Arc<dyn ToolServer>,
    request: TaskRequest,
) -> (StatusCode, Bytes) {
    match fields(mcp, server, &request).await {
        Ok(fields) => {
            let to = To {
                id: &request.id,
                version: Version::V2026_07_28,
                server: &**server,
            };
            let mut out = Out::new(&to);
            for (name, value) in fields {
                out.put(name, &value);
            }
            out.meta(None);
            let result = crate::reply::result(&request.id, &out.end());
            (StatusCode::OK, result)
        }
        Err(fault) => refusal(&request.id, &fault),
    }
}

async fn fields(
    mcp: &Mcp,
    server: &Arc<dyn ToolServer>,
    request: &TaskRequest,
) -> Result<Vec<Field>, Fault> {
    let store = server.tasks().ok_or_else(unknown)?;
    let following = Following {
        shared: Arc::clone(&mcp.shared),
        server: Arc::clone(server),
        store: Arc::clone(store),
        key: request.key,
    };
    // Another may write between our look and our word; then we look again.
    for _ in 0..ATTEMPTS {
        let (revision, record) = load(&**store, request.key).await?.ok_or_else(unknown)?;
        let stored = match &request.method {
            Method::Get => return Ok(record.details(&request.task)),
            Method::Update(responses) => following.update(mcp, revision, record, responses).await,
            Method::Cancel => following.cancel(revision, record).await,
        };
        match stored? {
            Stored::Kept => return Ok(Vec::new()),
            Stored::Refused => {}
            Stored::Full => return Err(Fault::NoRoom),
        }
    }
    Err(Fault::Internal(
        "The task changes too quickly: try again".to_owned(),
    ))
}

impl Following {
    /// Answers to what is not asked, or no more, change nothing.
    async fn update(
        self: &Following,
        mcp: &Mcp,
        revision: u64,
        mut record: Record,
        responses: &RawValue,
    ) -> Result<Stored, Fault> {
        let Status::InputRequired(mut waiting) = record.status.clone() else {
            return Ok(Stored::Kept);
        };
        if !waiting.take(responses) {
            record.turn(Status::InputRequired(waiting));
            return self.replace(revision, &record).await;
        }
        let place = mcp.shared.inflight.enter(None, "".into());
        let place = place.ok_or(Fault::TooManyCalls)?;
        record.turn(Status::Working(Some(waiting)));
        let stored = self.replace(revision, &record).await?;
        if stored == Stored::Kept {
            self.go_on(record, place, Stage::Answered);
        }
        Ok(stored)
    }

    /// What is over stays as it ended.
    async fn cancel(&self, revision: u64, mut record: Record) -> Result<Stored, Fault> {
        if record.is_over() {
            return Ok(Stored::Kept);
        }
        record.turn(Status::Cancelled);
        let stored = self.replace(revision, &record).await?;
        if stored == Stored::Kept {
            let (app, task) = (self.server.app(), self.key);
            self.shared.running.cancel(app, task);
            let app = app.into();
            self.shared.replicas.tell(Word::CancelTask { app, task });
        }
        Ok(stored)
    }

    async fn replace(&self, revision: u64, record: &Record) -> Result<Stored, Fault> {
        let stored = self
            .store
            .replace(self.key, revision, record.to_row())
            .await;
        let stored = stored.map_err(unreachable)?;
        if stored == Stored::Kept {
            self.tell();
        }
        Ok(stored)
    }

    /// Runs the call of a record that says that it works.
    fn go_on(&self, record: Record, place: Place, stage: Stage) {
        let following = Self {
            shared: Arc::clone(&self.shared),
            server: Arc::clone(&self.server),
            store: Arc::clone(&self.store),
            key: self.key,
        };
        let client = record.client();
        let answers = match &record.status {
            Status::Working(Some(waiting)) => Some(Answers {
                responses: waiting.responses(),
                state: waiting.state.clone(),
            }),
            _ => None,
        };
        let ask = Ask::Call {
            tool: record.tool,
            arguments: record.arguments.into(),
        };
        let task = Task {
            key: self.key,
            stage,
        };
        let (app, cancelled) = (self.server.app(), place.cancelled.clone());
        let listed = self.shared.running.list(app, task.key, cancelled);
        tokio::spawn(async move {
            let _listed = listed;
            let call = running(
                &following.server,
                &ask,
                answers,
                client.clone(),
                task,
                &place,
            );
            following.follow(call, &client, &place.cancelled).await;
        });
    }
}

impl Mcp {
    /// Goes on with a task whose call ran when the server stopped: the call begins again, under its old key and with the
    /// answers that it had, and knows so by its [`Stage`]. False when it does not run, or when too much runs.
    ///
    /// # Errors
    /// When the store cannot be reached.
    pub async fn resume(
        &self,
        server: &Arc<dyn ToolServer>,
        key: TaskKey,
    ) -> Result<bool, TaskStoreError> {
        let Some(following) = self.following(server, key) else {
            return Ok(false);
        };
        let Some((_, row)) = following.store.load(key).await? else {
            return Ok(false);
        };
        let record = Record::of_row(&row).filter(|it| matches!(it.status, Status::Working(_)));
        let place = self.shared.inflight.enter(None, "".into());
        let (Some(record), Some(place)) = (record, place) else {
            return Ok(false);
        };
        following.go_on(record, place, Stage::Resumed);
        Ok(true)
    }

    /// Ends a task whose call ran when the server stopped and cannot go on: it has failed, in words that say why.
    pub async fn interrupt(&self, server: &Arc<dyn ToolServer>, key: TaskKey) {
        if let Some(following) = self.following(server, key) {
            following.turn(failed(&Fault::Interrupted)).await;
        }
    }

    /// Waits until no task runs in this process: each has come to its end, or is suspended. For a server that stops.
    pub async fn idle(&self) {
        self.shared.running.idle().await;
    }

    fn following(&self, server: &Arc<dyn ToolServer>, key: TaskKey) -> Option<Following> {
        Some(Following {
            shared: Arc::clone(&self.shared),
            server: Arc::clone(server),
            store: Arc::clone(server.tasks()?),
            key,
        })
    }
}

/// All that the task tells, for those who listen; none when it is gone.
pub(crate) async fn detailed(
    server: &Arc<dyn ToolServer>,
    key: TaskKey,
    id: &str,
) -> Option<Vec<Field>> {
    let loaded = load(&**server.tasks()?, key).await;
    loaded.ok().flatten().map(|(_, record)| record.details(id))
}

async fn load(store: &dyn TaskStore, key: TaskKey) -> Result<Option<(u64, Record)>, Fault> {
    let loaded = store.load(key).await.map_err(unreachable)?;
    Ok(loaded.and_then(|(revision, row)| Some((revision, Record::of_row(&row)?))))
}

fn unreachable(error: TaskStoreError) -> Fault {
    tracing::error!(%error, "tasks cannot be looked up");
    Fault::Internal("The task cannot be looked up at the moment: try again".to_owned())
}

/// One answer for what never was, is forgotten, and belongs to another.
pub(crate) fn unknown() -> Fault {
    invalid("there is no task of this id, or it is no longer kept")
}
