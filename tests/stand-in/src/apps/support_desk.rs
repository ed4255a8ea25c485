//! `Support Desk`, a chatflow.

use serde_json::{Value, json};

use crate::form::{Field, Form, Kind};
use crate::nodes::Node;
use crate::run::{Halt, Run, Text};

const START: Node = Node::new("start1", "start", "Start");
const LOOK_UP: Node = Node::new("lookup1", "http-request", "Look up the order");
const WRITE: Node = Node::new("llm1", "llm", "Write the answer");
const ANSWER: Node = Node::new("answer1", "answer", "Answer");

pub(super) fn form() -> Form {
    Form::of_flow(vec![
        Field::new(Kind::Select, "tone", "Tone of the answer")
            .options(&["plain", "formal"])
            .default("plain"),
        Field::new(Kind::Number, "order_number", "Order number"),
    ])
}

pub(super) async fn play(run: &mut Run) -> Result<Value, Halt> {
    // What the answer's template already knows is said before any node has started: Dify does not tie text to nodes.
    let query = run.query.clone();
    run.delta(Text::Message, "You asked: ", &json!(["answer1", "answer"]))
        .await;
    run.delta(Text::Message, &query, &json!(["sys", "query"]))
        .await;
    run.delta(Text::Message, "\n", &json!(["answer1", "answer"]))
        .await;

    let inputs = json!(run.inputs);
    run.node(&START, inputs.clone(), inputs).await;
    run.slow_nodes().await?;

    let order = run.input("order_number", "unknown");
    let open = run.begin_work(&LOOK_UP).await?;
    run.work(run.step).await?;
    run.end_work(
        open,
        json!({}),
        json!({"status_code": 200, "body": format!("order {order}"), "headers": {}, "files": []}),
    )
    .await;

    let text = format!(
        "Order {order}, answered in a {} tone (turn {}).",
        run.input("tone", ""),
        run.turn
    );
    let open = run.begin_work(&WRITE).await?;
    run.speak(Text::Message, &text, &json!(["llm1", "text"]))
        .await?;
    run.end_work(
        open,
        json!({}),
        json!({"text": text, "reasoning_content": "", "finish_reason": "stop"}),
    )
    .await;

    let outputs = json!({"answer": run.answer, "files": []});
    run.node(&ANSWER, json!({}), outputs.clone()).await;
    Ok(outputs)
}
