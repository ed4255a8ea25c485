//! What an answer brings, in both eras, and what the operator can set for that.
//!
//! * `conversations`: how one is gone on with, and what the caller is told of it.
//! * `outputs`: results that keep an output schema, and results that do not.
//! * `partial`: the answer's text in progress messages.

mod conversations;
mod outputs;
mod partial;

use airlock::ops::{Operation, Reply};
use airlock_stand_in::SampleApp;
use airlock_tests::{Post, World};
use serde_json::{Value, json};

/// The short name and the tool of an app.
fn names(app: SampleApp) -> (&'static str, &'static str) {
    match app {
        SampleApp::TravelChat => ("travel-chat", "travel_chat"),
        SampleApp::WeeklyReport => ("weekly-report", "weekly_report"),
        SampleApp::SupportDesk => ("support-desk", "support_desk"),
        other => panic!("{other:?} is not called here"),
    }
}

/// A call as 2026-07-28 has it, with this in `_meta` besides.
fn modern(url: &str, tool: &str, arguments: Value, besides: Value) -> Post {
    let mut meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let Value::Object(besides) = besides else {
        panic!("{besides} is no object")
    };
    meta.as_object_mut().expect("an object").extend(besides);
    Post::to(url)
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", tool)
        .rpc(
            "tools/call",
            json!({"name": tool, "arguments": arguments, "_meta": meta}),
        )
}

/// A call as 2025-11-25 has it, with this in `_meta`.
fn legacy(url: &str, tool: &str, arguments: Value, meta: Value) -> Post {
    Post::to(url)
        .header("mcp-protocol-version", "2025-11-25")
        .rpc(
            "tools/call",
            json!({"name": tool, "arguments": arguments, "_meta": meta}),
        )
}

/// The result of a call.
async fn result(post: Post) -> Value {
    let posted = post.send().await.expect("an answer");
    let mut response = posted.response().await.expect("a JSON-RPC response");
    match response.get_mut("result") {
        Some(result) => result.take(),
        None => panic!("not a result: {response}"),
    }
}

fn text(result: &Value) -> String {
    let blocks = result["content"].as_array().into_iter().flatten();
    let texts: Vec<&str> = blocks.filter_map(|block| block["text"].as_str()).collect();
    texts.join("\n")
}

async fn set(world: &World, app: SampleApp, name: &str, value: Option<&str>) {
    let set = Operation::Set {
        app: names(app).0.into(),
        settings: [(name.to_owned(), value.map(str::to_owned))].into(),
    };
    match world.ask(set).await.expect("it can be set") {
        Reply::App { app } => assert_eq!(
            app.settings.get(name).map(String::as_str),
            value,
            "it is shown"
        ),
        other => panic!("{other:?}"),
    }
}
