//! `Word Counter`, an agent with one tool.

use serde_json::{Value, json};

use crate::form::{Field, Form, Kind};
use crate::ids;
use crate::python;
use crate::run::{Halt, Run, Text};

/// The name of its tool.
pub(super) const TOOL: &str = "count_text";

pub(super) fn form() -> Form {
    Form::of_simple_app(vec![
        Field::new(Kind::Select, "unit", "What to count")
            .options(&["words", "characters"])
            .default("words"),
    ])
}

/// Two steps, as a real agent with one tool call streams them. A thought is sent again under the same id each time
/// it grows: empty, with the tool and its input, with the observation.
pub(super) async fn play(run: &mut Run) -> Result<Value, Halt> {
    let unit = run.input("unit", "words");
    let count = if unit == "characters" {
        run.query.chars().count()
    } else {
        run.query.split_whitespace().count()
    };
    run.slow_text(Text::AgentMessage).await?;

    let mut step = thought(1);
    run.message("agent_thought", step.clone()).await;
    let said = "I will count that. ";
    run.speak_whole(Text::AgentMessage, said).await?;
    // Two empty deltas follow a tool call's text in the recordings.
    run.speak_whole(Text::AgentMessage, "").await?;
    run.speak_whole(Text::AgentMessage, "").await?;
    step["thought"] = json!(said);
    step["tool"] = json!(TOOL);
    step["tool_labels"] = json!({TOOL: {"zh_Hans": "计数", "en_US": "Count text", "pt_BR": "Count text", "ja_JP": "Count text"}});
    step["tool_input"] = json!(python::dumps(
        &json!({TOOL: {"text": run.query, "unit": unit}})
    ));
    run.message("agent_thought", step.clone()).await;
    run.work(run.step).await?;
    step["observation"] = json!(python::dumps(&json!({TOOL: format!("{count} {unit}")})));
    run.message("agent_thought", step).await;

    let mut step = thought(2);
    run.message("agent_thought", step.clone()).await;
    let answer = format!("The message has {count} {unit} (turn {}).", run.turn);
    run.speak(Text::AgentMessage, &answer, &Value::Null).await?;
    step["thought"] = json!(answer);
    run.message("agent_thought", step).await;
    Ok(Value::Null)
}

fn thought(position: u32) -> Value {
    json!({
        "id": ids::uuid(), "position": position, "thought": "", "observation": "", "tool": "", "tool_labels": {},
        "tool_input": "", "message_files": [],
    })
}
