use std::time::Duration;

use airlock_guest::{
    CallRequest, CallResult, Error, Outcome, Questions, Schema, Tool, client, json,
};

use crate::asking::{ask_name, filled, response};

/// Longer than the host answers inline: what comes after it comes in a task.
const LONG: Duration = Duration::from_secs(1);

pub(crate) fn tools() -> Vec<Tool> {
    let text = |name: &str| Schema::object().required(name, Schema::text());
    vec![
        Tool::new("greet", "Greets, without a task.").input(text("name")),
        Tool::new("slow_compute", "Takes as long as it is told.")
            .input(
                Schema::object()
                    .required("seconds", Schema::number().range(0, 600))
                    .property("label", Schema::text()),
            )
            .task(),
        Tool::new("failing_job", "Fails after a second.").always_task(),
        Tool::new("protocol_error_job", "Ends in an error of the protocol.").task(),
        Tool::new("confirm_delete", "Asks before it goes on.")
            .input(text("filename"))
            .task(),
        Tool::new("multi_input", "Asks two things at once.").task(),
        Tool::new("test_tool_with_task", "Asks, and becomes a task then.").always_task(),
    ]
}

/// Nothing where the tool is none of these.
pub(crate) fn call(request: &CallRequest) -> Option<Result<Outcome, Error>> {
    Some(match request.tool.as_str() {
        "greet" => request
            .get("name")
            .map(|name: &str| CallResult::text(format!("Hello, {name}!")).into()),
        "slow_compute" => slow(request),
        "failing_job" => {
            client::wait(LONG);
            Ok(CallResult::failed("This job always fails.").into())
        }
        "protocol_error_job" => {
            client::wait(LONG);
            Err(Error::UnknownTool(request.tool.clone()))
        }
        "confirm_delete" => Ok(confirm_delete(request)),
        "multi_input" => Ok(two(request)),
        "test_tool_with_task" => {
            let name = response(request, "user_name").and_then(|answer| filled(answer, "name"));
            Ok(match name {
                Some(name) => {
                    client::wait(LONG);
                    CallResult::text(format!("Done for {name}.")).into()
                }
                None => ask_name([]).into(),
            })
        }
        _ => return None,
    })
}

fn slow(request: &CallRequest) -> Result<Outcome, Error> {
    let seconds: f64 = request.get("seconds")?;
    let label: Option<&str> = request.get("label")?;
    client::wait(Duration::from_secs_f64(seconds));
    Ok(CallResult::text(format!("{} is computed.", label.unwrap_or("It"))).into())
}

fn confirm_delete(request: &CallRequest) -> Outcome {
    match response(request, "confirm") {
        Some(answer) if answer["content"]["confirm"] == json!(true) => {
            CallResult::text("It is deleted.").into()
        }
        Some(_) => CallResult::text("It stays.").into(),
        None => {
            client::wait(LONG);
            let schema = Schema::object()
                .open()
                .required("confirm", Schema::boolean());
            Questions::new([])
                .elicit("confirm", "Delete the file?", schema)
                .into()
        }
    }
}

fn two(request: &CallRequest) -> Outcome {
    let answers = ["first", "second"].map(|key| response(request, key));
    if let [Some(first), Some(second)] = answers {
        return CallResult::text(format!("{first} and {second}")).into();
    }
    client::wait(LONG);
    let schema = || Schema::object().open().required("name", Schema::text());
    Questions::new([])
        .elicit("first", "What is the first name?", schema())
        .elicit("second", "What is the second name?", schema())
        .into()
}
