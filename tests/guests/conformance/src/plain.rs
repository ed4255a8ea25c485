use std::time::Duration;

use airlock_guest::client::{self, Change, Level};
use airlock_guest::{
    CallRequest, CallResult, Content, Error, Map, Outcome, Schema, Tool, Value, json,
};

/// One transparent pixel, in base64.
pub(crate) const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
/// A sound of no length, in base64.
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=";
/// The suite's pause between two notifications.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) fn tools() -> Vec<Tool> {
    let simple = [
        ("test_simple_text", "Answers with a text."),
        ("test_image_content", "Answers with an image."),
        ("test_audio_content", "Answers with a sound."),
        ("test_embedded_resource", "Answers with a resource."),
        (
            "test_multiple_content_types",
            "Answers with several kinds of content.",
        ),
        ("test_error_handling", "Fails."),
        ("test_tool_with_progress", "Reports progress."),
        ("test_tool_with_logging", "Sends log messages."),
        ("test_logging_tool", "Sends log messages."),
        ("test_reconnection", "Takes its time."),
        (
            "test_trigger_tool_change",
            "Says that the tools have changed.",
        ),
        (
            "test_trigger_prompt_change",
            "Says that the prompts have changed.",
        ),
    ];
    let mut tools: Vec<Tool> = simple
        .into_iter()
        .map(|(name, description)| Tool::new(name, description))
        .collect();
    tools.push(Tool::new("test_missing_capability", "Needs sampling.").requires("sampling"));
    let region = Schema::text().set("x-mcp-header", "Region");
    tools.push(
        Tool::new(
            "test_custom_header",
            "Has an argument that is repeated in a header.",
        )
        .input(Schema::object().property("region", region)),
    );
    let schema = Schema::raw(json_schema());
    tools.push(
        Tool::new(
            "json_schema_2020_12_tool",
            "Tool with JSON Schema 2020-12 features",
        )
        .input(schema),
    );
    tools
}

/// Nothing where the tool is none of these.
pub(crate) fn call(request: &CallRequest) -> Option<Result<Outcome, Error>> {
    let result = match request.tool.as_str() {
        "test_simple_text" => CallResult::text("This is a simple text response for testing."),
        "test_image_content" => CallResult::new().and(Content::image("image/png", PNG)),
        "test_audio_content" => CallResult::new().and(Content::audio("audio/wav", WAV)),
        "test_embedded_resource" => CallResult::new().and(Content::resource(
            "test://embedded-resource",
            "text/plain",
            "This is an embedded resource content.",
        )),
        "test_multiple_content_types" => CallResult::text("Multiple content types test:")
            .and(Content::image("image/png", PNG))
            .and(Content::resource(
                "test://mixed-content-resource",
                "application/json",
                json!({ "test": "data", "value": 123 }).to_string(),
            )),
        "test_error_handling" => {
            CallResult::failed("This tool intentionally returns an error for testing")
        }
        "test_tool_with_progress" => progress(),
        "test_tool_with_logging" | "test_logging_tool" => log(),
        "test_reconnection" => {
            client::wait(Duration::from_secs(1));
            CallResult::text("Reconnection test completed.")
        }
        "test_trigger_tool_change" => changed(&Change::Tools),
        "test_trigger_prompt_change" => changed(&Change::Prompts),
        "test_missing_capability" => CallResult::text("The client has sampling."),
        "test_custom_header" | "json_schema_2020_12_tool" => {
            CallResult::text(Value::Object(request.arguments.clone()).to_string())
        }
        _ => return None,
    };
    Some(Ok(result.into()))
}

fn progress() -> CallResult {
    for done in [0.0, 50.0, 100.0] {
        client::progress(done, Some(100.0), Some(&format!("{done} of 100")));
        client::wait(PAUSE);
    }
    CallResult::text("Progress was reported.")
}

fn log() -> CallResult {
    for message in [
        "Tool execution started",
        "Tool processing data",
        "Tool execution completed",
    ] {
        client::tell(Level::Info, message);
        client::wait(PAUSE);
    }
    CallResult::text("Messages were sent.")
}

fn changed(what: &Change) -> CallResult {
    client::changed(what);
    CallResult::text("Whoever listens has been told.")
}

/// The suite compares it with what arrives.
fn json_schema() -> Map<String, Value> {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": { "street": { "type": "string" }, "city": { "type": "string" } }
            }
        },
        "properties": {
            "name": { "type": "string" },
            "address": { "$ref": "#/$defs/address" },
            "contactMethod": { "type": "string", "enum": ["phone", "email"] },
            "phone": { "type": "string" },
            "email": { "type": "string" }
        },
        "allOf": [{ "anyOf": [{ "required": ["phone"] }, { "required": ["email"] }] }],
        "if": { "properties": { "contactMethod": { "const": "phone" } }, "required": ["contactMethod"] },
        "then": { "required": ["phone"] },
        "else": { "required": ["email"] },
        "additionalProperties": false
    });
    match schema {
        Value::Object(schema) => schema,
        other => unreachable!("the schema above is an object, not {other}"),
    }
}
