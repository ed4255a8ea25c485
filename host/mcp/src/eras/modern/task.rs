//! Calls that may become tasks, and looks at tasks.

use crate::{
    Capabilities, TaskKey,
    call::Prepared,
    envelope::Id,
    fault::Fault,
    job::{Ask, invalid, string},
    params::{Meta, Params},
    questions,
    serve::Door,
    tasks::{Begin, Method, TaskRequest, unknown},
    tools::TaskSupport,
};

/// Bytes of arguments that a row has room for. A call with more of them, which files are, becomes no task unless it must.
const ARGUMENTS: usize = 1 << 20;

/// None for a call that cannot become a task.
pub(super) fn support(door: &Door<'_>, prepared: &Prepared) -> Result<Option<TaskSupport>, Fault> {
    let Ask::Call { tool, arguments } = &prepared.ask else {
        return Ok(None);
    };
    let large = arguments.get().len() > ARGUMENTS;
    if door.server.tasks().is_none() {
        return Ok(None);
    }
    let follows = prepared.client.capabilities.has(Capabilities::TASKS);
    match door.server.tools().task_support(tool) {
        Some(TaskSupport::Optional) if large => Ok(None),
        Some(support) if follows => Ok(Some(support)),
        Some(TaskSupport::Required) => Err(Fault::MissingCapability(Capabilities::TASKS)),
        Some(TaskSupport::Optional) | None => Ok(None),
    }
}

pub(super) fn begin(prepared: Prepared, support: TaskSupport) -> Result<Begin, Fault> {
    let mut key = [0; 16];
    getrandom::fill(&mut key).map_err(|error| {
        tracing::error!(%error, "no task: the system gave no randomness");
        Fault::Internal("The call failed inside the server".to_owned())
    })?;
    Ok(Begin {
        prepared,
        key: TaskKey(key),
        support,
    })
}

pub(super) fn request(
    door: &Door<'_>,
    id: Id<'_>,
    method: &str,
    params: &Params<'_>,
    meta: &Meta<'_>,
) -> Result<TaskRequest, Fault> {
    let declared = meta.client_capabilities.map(Capabilities::read);
    if !declared.is_some_and(|declared| declared.has(Capabilities::TASKS)) {
        return Err(Fault::MissingCapability(Capabilities::TASKS));
    }
    let task = string(params.task_id, "taskId")?;
    let key = door.mcp.shared.task_ids.open(&**door.server, &task);
    let method = match method {
        "tasks/get" => Method::Get,
        "tasks/cancel" => Method::Cancel,
        _ => {
            let responses = params.input_responses;
            let responses = responses.ok_or_else(|| invalid("inputResponses is missing"))?;
            Method::Update(questions::responses(responses)?)
        }
    };
    Ok(TaskRequest {
        id: id.as_str().into(),
        task,
        key: key.ok_or_else(unknown)?,
        method,
    })
}
