//! `Weekly Report`, a workflow.

use serde_json::{Value, json};

use crate::form::{Field, Form, Kind};
use crate::nodes::Node;
use crate::run::{Halt, Run};

const START: Node = Node::new("start1", "start", "Start");
const READ: Node = Node::new("read1", "code", "Read the notes");
const PICK: Node = Node::new("pick1", "llm", "Pick the highlights");
const WRITE: Node = Node::new("write1", "template-transform", "Write the report");
const CHECK: Node = Node::new("check1", "llm", "Check the tone");
const END: Node = Node::new("end1", "end", "End");

pub(super) fn form() -> Form {
    let layout = json!({
        "type": "object",
        "properties": {
            "heading": {"type": "string", "description": "Text above the highlights"},
            "bullet": {"type": "string", "enum": ["-", "*"], "description": "Sign before each highlight"},
        },
        "additionalProperties": false,
    });
    Form::of_flow(vec![
        Field::new(Kind::Text, "title", "Title of the report")
            .required()
            .max_length(48),
        Field::new(Kind::Paragraph, "notes", "Notes of the week, one per line"),
        Field::new(Kind::Select, "audience", "Who will read it")
            .required()
            .options(&["team", "management", "customers"]),
        Field::new(Kind::Number, "highlights", "How many highlights").default(3),
        Field::new(Kind::Checkbox, "urgent", "Mark as urgent").default(false),
        Field::new(Kind::JsonObject, "layout", "Layout").json_schema(&layout),
    ])
}

pub(super) async fn play(run: &mut Run) -> Result<Value, Halt> {
    let inputs = json!(run.inputs);
    run.node(&START, inputs.clone(), inputs).await;
    run.slow_nodes().await?;

    let notes = run.input("notes", "");
    let lines: Vec<&str> = notes
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    run.working_node(&READ, json!({"notes": notes}), json!({"lines": lines}))
        .await?;

    // More highlights than there are lines are no fault, and neither is a number that is none.
    let most = run
        .inputs
        .get("highlights")
        .and_then(Value::as_u64)
        .map_or(usize::MAX, |most| most as usize);
    let picked = &lines[..lines.len().min(most)];
    run.working_node(&PICK, json!({"lines": lines}), json!({"picked": picked}))
        .await?;

    let report = report(run, picked);
    let open = run.begin_work(&WRITE).await?;
    run.work(run.step).await?;
    run.text_chunk(&report, &json!(["write1", "output"])).await;
    run.end_work(open, json!({"picked": picked}), json!({"output": report}))
        .await;
    run.working_node(&CHECK, json!({"report": report}), json!({"tone": "fine"}))
        .await?;

    let kept = |name: &str| run.inputs.get(name).cloned().unwrap_or(Value::Null);
    let outputs = json!({
        "report": report, "title": kept("title"), "audience": kept("audience"), "highlights": picked,
        "urgent": kept("urgent"), "layout": kept("layout"),
    });
    run.node(&END, outputs.clone(), outputs.clone()).await;
    Ok(outputs)
}

fn report(run: &Run, picked: &[&str]) -> String {
    let layout = run.inputs.get("layout").unwrap_or(&Value::Null);
    let heading = layout["heading"].as_str().unwrap_or("Highlights");
    let bullet = layout["bullet"].as_str().unwrap_or("-");
    let urgent = if run.inputs.get("urgent") == Some(&json!(true)) {
        " (urgent)"
    } else {
        ""
    };
    let mut report = format!(
        "# {}{urgent}\n\nFor: {}\n\n## {heading}\n",
        run.input("title", ""),
        run.input("audience", "")
    );
    for line in picked {
        report += &format!("{bullet} {line}\n");
    }
    report
}
