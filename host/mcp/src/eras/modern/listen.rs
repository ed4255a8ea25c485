//! `subscriptions/listen`: the client says what it wants to hear, and hears it until it hangs up.

use std::sync::Arc;

use http::Response;
use serde::{Deserialize, Serialize};
use serde_json::value::to_raw_value;

use crate::{
    Body,
    envelope::{Id, is_object},
    fault::Fault,
    job::invalid,
    listen::{Ear, Listener, Topics},
    params::Params,
    serve::Door,
};

/// What may be heard; what came back is what will be.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct Filter {
    #[serde(skip_serializing_if = "is_unwanted")]
    tools_list_changed: Option<bool>,
    #[serde(skip_serializing_if = "is_unwanted")]
    prompts_list_changed: Option<bool>,
    #[serde(skip_serializing_if = "is_unwanted")]
    resources_list_changed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_subscriptions: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_ids: Option<Vec<String>>,
}

fn is_unwanted(topic: &Option<bool>) -> bool {
    *topic != Some(true)
}

/// Resources of one stream, tasks of one stream, and bytes of one URI.
const RESOURCES_MAX: usize = 64;
const URI_MAX: usize = 2048;

pub(super) fn open(
    door: &Door<'_>,
    id: Id<'_>,
    params: &Params<'_>,
) -> Result<Response<Body>, Fault> {
    if !door.accept.events {
        return Err(Fault::Accept);
    }
    let server = door.server;
    let changes = server
        .changes()
        .ok_or_else(|| invalid("there is nothing to hear"))?;
    let mut filter = read(params)?;
    // "Only includes notification types the server actually supports" (SubscriptionsAcknowledgedNotification).
    let offers = server.offers();
    filter.prompts_list_changed = filter.prompts_list_changed.filter(|_| offers.prompts);
    filter.resources_list_changed = filter.resources_list_changed.filter(|_| offers.resources);
    filter.resource_subscriptions = filter.resource_subscriptions.filter(|_| offers.resources);
    // Ids that are not ours are not honoured, and so not named again.
    let task = |id: String| {
        let key = door.mcp.shared.task_ids.open(&**server, &id)?;
        Some((key, id))
    };
    let ids = filter.task_ids.take().filter(|_| server.tasks().is_some());
    let tasks: Option<Vec<_>> = ids.map(|ids| ids.into_iter().filter_map(task).collect());
    filter.task_ids = tasks
        .as_ref()
        .map(|tasks| tasks.iter().map(|(_, id)| id.clone()).collect());
    let wanted = |topic| topic == Some(true);
    let topics = Topics {
        tools: wanted(filter.tools_list_changed),
        prompts: wanted(filter.prompts_list_changed),
        resources: wanted(filter.resources_list_changed),
    };
    let place = door.mcp.shared.streams.enter(None, id.key());
    let ear = Ear::Subscription {
        id: id.as_str().into(),
        resources: filter.resource_subscriptions.clone().unwrap_or_default(),
        tasks: tasks.unwrap_or_default(),
    };
    let method = "notifications/subscriptions/acknowledged";
    let filter = to_raw_value(&filter).expect("booleans and strings are JSON");
    let acknowledged = ear.notification(method, vec![("notifications", filter)]);
    let listener = Listener {
        shared: Arc::clone(&door.mcp.shared),
        server: Arc::clone(server),
        topics,
        ear,
        place: place.ok_or(Fault::TooManyStreams)?,
    };
    Ok(listener.open(changes.listen(), Some(acknowledged)))
}

fn read(params: &Params<'_>) -> Result<Filter, Fault> {
    let wanted = params.notifications.filter(|wanted| is_object(wanted));
    let wanted = wanted.ok_or_else(|| invalid("notifications must be an object"))?;
    let filter: Filter = serde_json::from_str(wanted.get()).map_err(|_error| {
        invalid("notifications: topics are booleans, resourceSubscriptions is a list of URIs")
    })?;
    let resources = filter.resource_subscriptions.as_deref().unwrap_or_default();
    let tasks = filter.task_ids.as_deref().unwrap_or_default();
    if tasks.len() > RESOURCES_MAX {
        return Err(invalid("taskIds has at most 64 ids"));
    }
    if resources.len() > RESOURCES_MAX || resources.iter().any(|uri| uri.len() > URI_MAX) {
        return Err(invalid(
            "resourceSubscriptions has at most 64 URIs, of at most 2,048 bytes",
        ));
    }
    Ok(filter)
}
