//! Calls that become tasks.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use airlock_mcp::{
    CallError, CallResult, Changes, End, Kept, Questions, Stage, Stored, TaskKey, TaskRow,
    TaskStore, ToolServer, Tools,
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::timeout};

use crate::fixture::{Client, Fake, Heard, raw};

/// Rows in memory, of which there may be this many, none of which may grow past so many bytes.
struct Rows {
    rows: Mutex<HashMap<TaskKey, (u64, TaskRow)>>,
    room: usize,
    largest: AtomicUsize,
}

impl TaskStore for Rows {
    fn create(&self, key: TaskKey, row: TaskRow) -> Kept<'_, Stored> {
        Box::pin(async move {
            let mut rows = self.rows.lock().expect("no panic");
            if rows.len() >= self.room {
                return Ok(Stored::Full);
            }
            rows.insert(key, (1, row));
            Ok(Stored::Kept)
        })
    }

    fn load(&self, key: TaskKey) -> Kept<'_, Option<(u64, TaskRow)>> {
        let found = self.rows.lock().expect("no panic").get(&key).cloned();
        Box::pin(async move { Ok(found) })
    }

    fn replace(&self, key: TaskKey, revision: u64, row: TaskRow) -> Kept<'_, Stored> {
        Box::pin(async move {
            let mut rows = self.rows.lock().expect("no panic");
            match rows.get_mut(&key) {
                Some(_) if row.state.len() > self.largest.load(Ordering::SeqCst) => {
                    Ok(Stored::Full)
                }
                Some(kept) if kept.0 == revision => {
                    *kept = (revision + 1, row);
                    Ok(Stored::Kept)
                }
                Some(_) | None => Ok(Stored::Refused),
            }
        })
    }
}

fn rows(room: usize) -> Arc<Rows> {
    Arc::new(Rows {
        rows: Mutex::default(),
        room,
        largest: AtomicUsize::new(usize::MAX),
    })
}

const ASK: &str = r#"{"a":{"method":"elicitation/create","params":{}},"b":{"method":"elicitation/create","params":{}}}"#;

/// A server whose tool does what its arguments say; it tells when it is stopped.
fn server(rows: Arc<Rows>) -> (Fake, mpsc::UnboundedReceiver<&'static str>) {
    let (events, told) = mpsc::unbounded_channel();
    let mut server = Fake::new(move |call| {
        let events = events.clone();
        Box::pin(async move {
            let arguments: Value = serde_json::from_str(call.arguments.get()).expect("JSON");
            let stage = call.task.map(|task| task.stage);
            // As if its server died before it came to its end.
            let ms = match (&arguments["dies"], stage) {
                (Value::Bool(true), Some(Stage::New)) => 600_000,
                _ => arguments["ms"].as_u64().unwrap_or_default(),
            };
            let time = Duration::from_millis(ms);
            tokio::select! {
                () = tokio::time::sleep(time) => {}
                () = call.context.cancelled.cancelled() => {
                    let _ = events.send("told");
                    return Err(CallError::Cancelled);
                }
            }
            match (arguments["do"].as_str(), call.answers) {
                (Some("repeat"), _) => Ok(CallResult::text(call.arguments.get()).into()),
                (Some("stage"), _) => Ok(CallResult::text(&format!("{stage:?}")).into()),
                (Some("lost"), _) if stage == Some(Stage::Resumed) => Err(CallError::Interrupted),
                (Some("leave"), _) if stage == Some(Stage::New) => Err(CallError::Suspended),
                (Some("ask"), None) => Ok(End::InputRequired(Questions {
                    requests: raw(ASK),
                    state: b"kept".to_vec(),
                })),
                (Some("ask"), Some(answers)) => {
                    let state = String::from_utf8(answers.state).expect("UTF-8");
                    Ok(CallResult::text(&format!("{} {state}", answers.responses)).into())
                }
                (Some("panic"), _) => panic!("as it was told to"),
                (Some("fail"), _) => Ok(CallResult::error("no").into()),
                (Some("break"), _) => Err(CallError::Internal("broken".to_owned())),
                _ => Ok(CallResult::text("done").into()),
            }
        })
    });
    let tool = |name: &str, support: &str| {
        raw(&format!(
            r#"{{"name":"{name}","inputSchema":{{"type":"object"}},"execution":{{"taskSupport":"{support}"}}}}"#
        ))
    };
    let tools = [
        tool("may", "optional"),
        tool("must", "required"),
        tool("never", "forbidden"),
    ];
    server.tools = Tools::new(&tools).expect("tools");
    server.tasks = Some(rows as Arc<dyn TaskStore>);
    server.changes = Some(Changes::new());
    (server, told)
}

fn follower() -> Client {
    server(rows(100)).0.client()
}

/// A request of a client that follows tasks and can be asked.
async fn request(client: &Client, method: &str, mut params: Value) -> Heard {
    params["_meta"] = json!({"io.modelcontextprotocol/clientCapabilities":
        {"elicitation": {}, "extensions": {"io.modelcontextprotocol/tasks": {}}}});
    client.modern(method, params).await
}

async fn call(client: &Client, tool: &str, arguments: Value) -> Value {
    let params = json!({"name": tool, "arguments": arguments});
    request(client, "tools/call", params).await.json()["result"].clone()
}

async fn get(client: &Client, task: &Value) -> Value {
    request(client, "tasks/get", json!({"taskId": task["taskId"]}))
        .await
        .json()["result"]
        .clone()
}

/// Looks until the task stands there.
async fn until(client: &Client, task: &Value, status: &str) -> Value {
    for _ in 0..1000 {
        let now = get(client, task).await;
        if now["status"] == status {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never {status}: {}", get(client, task).await);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_takes_long_becomes_a_task_and_its_result_is_fetched() {
    let client = follower();
    let task = call(&client, "may", json!({"ms": 2000})).await;
    assert_eq!(
        (&task["resultType"], &task["status"]),
        (&json!("task"), &json!("working"))
    );
    assert_eq!(
        (&task["ttlMs"], &task["pollIntervalMs"]),
        (&json!(86_400_000), &json!(1000))
    );
    for time in ["createdAt", "lastUpdatedAt"] {
        let time = task[time].as_str().expect("a time");
        assert!(time.starts_with("20") && time.ends_with('Z'), "{time}");
    }
    assert_eq!(task.get("result"), None);
    assert_eq!(get(&client, &task).await["status"], "working");
    let done = until(&client, &task, "completed").await;
    assert_eq!(done["resultType"], "complete");
    assert_eq!(done["result"]["content"][0]["text"], "done");
    assert_eq!(done["taskId"], task["taskId"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_ends_soon_is_answered_as_ever() {
    let client = follower();
    for tool in ["may", "never"] {
        let result = call(&client, tool, json!({"ms": 400})).await;
        assert_eq!(result["resultType"], "complete", "{tool}");
        assert_eq!(result["content"][0]["text"], "done");
    }
    let slow = json!({"name": "never", "arguments": {"ms": 2000}, "task": {"ttl": 1}});
    let heard = request(&client, "tools/call", slow).await;
    assert_eq!(heard.events()[0]["result"]["content"][0]["text"], "done");
    let heard = client
        .modern(
            "tools/call",
            json!({"name": "may", "arguments": {"ms": 2000}}),
        )
        .await;
    assert!(heard.is_stream(), "a client that follows no tasks waits");
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_always_makes_tasks_needs_a_client_that_follows_them() {
    let client = follower();
    let heard = client.modern("tools/call", json!({"name": "must"})).await;
    assert_eq!(heard.error(), (400, -32021, json!(1)));
    assert_eq!(
        heard.json()["error"]["data"]["requiredCapabilities"],
        json!({"extensions": {"io.modelcontextprotocol/tasks": {}}})
    );
    let task = call(&client, "must", json!({"do": "fail"})).await;
    assert_eq!(task["resultType"], "task");
    let done = get(&client, &task).await;
    assert_eq!(
        (&done["status"], &done["result"]["isError"]),
        (&json!("completed"), &json!(true))
    );
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_protocol_fails_the_task() {
    let client = follower();
    let task = call(&client, "may", json!({"do": "break", "ms": 1000})).await;
    let failed = until(&client, &task, "failed").await;
    assert_eq!(
        failed["error"],
        json!({"code": -32603, "message": "broken"})
    );
    assert_eq!(failed.get("result"), None);
    let task = call(&client, "may", json!({"do": "panic", "ms": 1000})).await;
    let failed = until(&client, &task, "failed").await;
    assert_eq!(failed["error"]["code"], -32603, "it panicked");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_task_is_told_to_stop_and_stays_cancelled() {
    let (server, mut told) = server(rows(100));
    let client = server.client();
    let task = call(&client, "may", json!({"ms": 60_000})).await;
    let id = json!({"taskId": task["taskId"]});
    for _ in 0..2 {
        let heard = request(&client, "tasks/cancel", id.clone()).await;
        let result = heard.json()["result"]
            .as_object()
            .expect("a result")
            .clone();
        let mut members: Vec<_> = result.keys().collect();
        members.sort();
        assert_eq!(members, ["_meta", "resultType"]);
        assert_eq!(result["resultType"], "complete");
    }
    assert_eq!(told.recv().await, Some("told"));
    assert_eq!(get(&client, &task).await["status"], "cancelled");
    let over = call(&client, "must", json!({})).await;
    request(&client, "tasks/cancel", json!({"taskId": over["taskId"]})).await;
    assert_eq!(
        get(&client, &over).await["status"],
        "completed",
        "what is over stays so"
    );
}

#[tokio::test(start_paused = true)]
async fn questions_of_a_task_are_answered_one_by_one() {
    let client = follower();
    let task = call(&client, "may", json!({"do": "ask", "ms": 700})).await;
    let asks = until(&client, &task, "input_required").await;
    assert_eq!(
        asks["inputRequests"].as_object().map(serde_json::Map::len),
        Some(2)
    );
    assert_eq!(asks.get("requestState"), None);
    let update = |responses: Value| json!({"taskId": task["taskId"], "inputResponses": responses});
    let heard = request(
        &client,
        "tasks/update",
        update(json!({"a": {"x": 1}, "z": {}})),
    )
    .await;
    assert_eq!(heard.json()["result"]["resultType"], "complete");
    let asks = get(&client, &task).await;
    assert_eq!(asks["status"], "input_required");
    assert_eq!(
        asks["inputRequests"]
            .as_object()
            .map(|it| it.keys().collect::<Vec<_>>()),
        Some(vec![&"b".to_owned()])
    );
    request(&client, "tasks/update", update(json!({"b": {}}))).await;
    let done = until(&client, &task, "completed").await;
    assert_eq!(
        done["result"]["content"][0]["text"],
        r#"{"a":{"x":1},"b":{}} kept"#
    );
    let heard = request(&client, "tasks/update", update(json!({"b": 7}))).await;
    assert_eq!(heard.error(), (200, -32602, json!(1)));
}

#[tokio::test(start_paused = true)]
async fn questions_before_there_is_a_task_are_asked_as_ever() {
    let client = follower();
    let asked = call(&client, "must", json!({"do": "ask"})).await;
    assert_eq!(asked["resultType"], "input_required");
    assert_eq!(asked.get("taskId"), None);
    let again = json!({"name": "must", "arguments": {"do": "ask"}, "requestState": asked["requestState"],
        "inputResponses": {"a": {}}});
    let task = request(&client, "tools/call", again).await.json()["result"].clone();
    assert_eq!(task["resultType"], "task");
    let done = get(&client, &task).await;
    assert_eq!(done["result"]["content"][0]["text"], r#"{"a":{}} kept"#);
}

#[tokio::test]
async fn a_task_is_shown_to_holders_of_its_id_who_follow_tasks() {
    let client = follower();
    let task = call(&client, "must", json!({})).await;
    for method in ["tasks/get", "tasks/cancel", "tasks/update"] {
        let params = json!({"taskId": task["taskId"], "inputResponses": {}});
        let heard = client.modern(method, params.clone()).await;
        assert_eq!(heard.error(), (400, -32021, json!(1)), "{method}");
        let mut strange = params;
        strange["taskId"] = json!("x");
        let heard = request(&client, method, strange).await;
        assert_eq!(heard.error(), (200, -32602, json!(1)), "{method}");
    }
    for method in ["tasks/list", "tasks/result"] {
        let heard = request(&client, method, json!({"taskId": task["taskId"]})).await;
        assert_eq!(heard.error(), (404, -32601, json!(1)), "{method}");
    }
    client
        .server
        .epoch
        .store(2, std::sync::atomic::Ordering::SeqCst);
    let heard = request(&client, "tasks/get", json!({"taskId": task["taskId"]})).await;
    assert_eq!(heard.error().1, -32602, "an id dies with its credential");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_before_it_has_an_id_ends_the_call() {
    let (server, mut told) = server(rows(100));
    let client = server.client();
    let calling = call(&client, "may", json!({"ms": 60_000}));
    assert!(timeout(Duration::from_millis(100), calling).await.is_err());
    assert_eq!(told.recv().await, Some("told"));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_cannot_be_kept_is_refused_and_stopped() {
    let (server, mut told) = server(rows(0));
    let client = server.client();
    let params = json!({"name": "may", "arguments": {"ms": 60_000}});
    let heard = request(&client, "tools/call", params).await;
    assert_eq!(heard.error(), (200, 429, json!(1)));
    assert_eq!(told.recv().await, Some("told"));
}

#[tokio::test(start_paused = true)]
async fn a_restarted_server_goes_on_or_says_that_it_was_interrupted() {
    let kept = rows(100);
    let (before, _told) = server(Arc::clone(&kept));
    let client = before.client();
    let one = call(
        &client,
        "may",
        json!({"ms": 5000, "do": "stage", "dies": true}),
    )
    .await;
    let two = call(&client, "may", json!({"ms": 60_000})).await;
    let three = call(
        &client,
        "may",
        json!({"ms": 5000, "do": "lost", "dies": true}),
    )
    .await;
    let running: Vec<_> = kept
        .rows
        .lock()
        .expect("no panic")
        .values()
        .cloned()
        .collect();
    assert!(
        running
            .iter()
            .all(|(_, row)| row.running && row.expires > SystemTime::now())
    );

    let (after, _told) = server(Arc::clone(&kept));
    let client = after.client();
    assert_eq!(get(&client, &one).await["status"], "working");
    let server = Arc::clone(&client.server) as Arc<dyn ToolServer>;
    assert_eq!(client.mcp.resume(&server, key(&one)).await, Ok(true));
    assert_eq!(client.mcp.resume(&server, key(&three)).await, Ok(true));
    client.mcp.interrupt(&server, key(&two)).await;
    assert_eq!(
        client.mcp.resume(&server, key(&two)).await,
        Ok(false),
        "it is over"
    );
    let interrupted = get(&client, &two).await;
    assert_eq!(interrupted["status"], "failed");
    let words = interrupted["error"]["message"].as_str().expect("words");
    assert!(words.starts_with("Interrupted"), "{words}");
    let done = until(&client, &one, "completed").await;
    assert_eq!(done["result"]["content"][0]["text"], "Some(Resumed)");
    let failed = until(&client, &three, "failed").await;
    assert_eq!(
        failed["error"], interrupted["error"],
        "the call said so itself"
    );
}

fn key(task: &Value) -> TaskKey {
    let id = task["taskId"].as_str().expect("an id");
    let id = data_encoding::BASE64URL_NOPAD
        .decode(id.as_bytes())
        .expect("base64");
    TaskKey::from_bytes(*id.first_chunk().expect("long enough"))
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_suspended_leaves_its_task_to_the_next_server() {
    let kept = rows(100);
    let (before, _told) = server(Arc::clone(&kept));
    let client = before.client();
    let task = call(&client, "may", json!({"ms": 5000, "do": "leave"})).await;
    client.mcp.idle().await;
    assert_eq!(get(&client, &task).await["status"], "working");

    let (after, _told) = server(kept);
    let client = after.client();
    let server = Arc::clone(&client.server) as Arc<dyn ToolServer>;
    assert_eq!(client.mcp.resume(&server, key(&task)).await, Ok(true));
    until(&client, &task, "completed").await;
}

#[tokio::test(start_paused = true)]
async fn a_result_for_which_there_is_no_room_fails_the_task_in_words() {
    let kept = rows(100);
    let (server, _told) = server(Arc::clone(&kept));
    let client = server.client();
    let long = "x".repeat(10_000);
    for what in ["repeat", "ask"] {
        let arguments = json!({"ms": 1000, "do": what, "long": long});
        let task = call(&client, "may", arguments).await;
        kept.largest.store(600, Ordering::SeqCst);
        let failed = until(&client, &task, "failed").await;
        let words = failed["error"]["message"].as_str().expect("words");
        assert!(words.contains("no room"), "{words}");
        kept.largest.store(usize::MAX, Ordering::SeqCst);
    }
    let task = call(&client, "may", json!({"do": "ask", "ms": 700})).await;
    until(&client, &task, "input_required").await;
    kept.largest.store(10, Ordering::SeqCst);
    let params = json!({"taskId": task["taskId"], "inputResponses": {"a": {}, "b": {}}});
    let heard = request(&client, "tasks/update", params).await;
    assert_eq!(heard.error(), (200, -32603, json!(1)));
    assert_eq!(get(&client, &task).await["status"], "input_required");
}

#[tokio::test(start_paused = true)]
async fn those_who_listen_hear_how_a_task_stands() {
    let client = follower();
    let task = call(&client, "may", json!({"ms": 2000})).await;
    let wanted = json!({"taskIds": [task["taskId"], "strange"]});
    let mut stream = client
        .open_modern("subscriptions/listen", json!({"notifications": wanted}))
        .await;
    let mut heard = Vec::new();
    while heard.len() < 2 {
        let frame = stream
            .body_mut()
            .frame()
            .await
            .expect("a frame")
            .expect("no error");
        let text = String::from_utf8(frame.into_data().expect("data").to_vec()).expect("UTF-8");
        let data = text.lines().find_map(|line| line.strip_prefix("data: "));
        heard.extend(data.map(|data| serde_json::from_str::<Value>(data).expect("JSON")));
    }
    assert_eq!(
        heard[0]["params"]["notifications"],
        json!({"taskIds": [task["taskId"]]})
    );
    assert_eq!(heard[1]["method"], "notifications/tasks");
    let params = &heard[1]["params"];
    assert_eq!(
        (&params["taskId"], &params["status"]),
        (&task["taskId"], &json!("completed"))
    );
    assert_eq!(params["result"]["content"][0]["text"], "done");
    assert_eq!(params["_meta"]["io.modelcontextprotocol/subscriptionId"], 1);
}
