//! `Travel Chat`, a chat app.

use serde_json::Value;

use crate::form::{Field, Form, Kind};
use crate::run::{Halt, Run, Text};

pub(super) fn form() -> Form {
    Form::of_simple_app(vec![
        Field::new(Kind::Text, "topic", "Place to talk about")
            .required()
            .max_length(48),
        Field::new(Kind::Select, "style", "Style of the answer")
            .options(&["brief", "detailed"])
            .default("brief"),
    ])
}

pub(super) async fn play(run: &mut Run) -> Result<Value, Halt> {
    let answer = format!(
        "About {}: you asked \"{}\" (style: {}, turn {}).",
        run.input("topic", ""),
        run.query,
        run.input("style", "not given"),
        run.turn
    );
    run.slow_text(Text::Message).await?;
    run.speak(Text::Message, &answer, &Value::Null).await?;
    Ok(Value::Null)
}
