//! `Product Blurb`, a completion app. Its main variable is named `query`, as is common in Dify, beside the request's
//! own `query`.

use serde_json::Value;

use crate::form::{Field, Form, Kind};
use crate::run::{Halt, Run, Text};

pub(super) fn form() -> Form {
    Form::of_simple_app(vec![
        Field::new(Kind::Paragraph, "query", "Product and its features").required(),
        Field::new(Kind::Select, "language", "Language of the blurb")
            .options(&["English", "Deutsch", "中文"])
            .default("English"),
        Field::new(Kind::Number, "max_words", "Most words"),
    ])
}

pub(super) async fn play(run: &mut Run) -> Result<Value, Halt> {
    let answer = format!(
        "A blurb for {} (language: {}, most words: {}).",
        run.input("query", ""),
        run.input("language", "not given"),
        run.input("max_words", "not given")
    );
    run.slow_text(Text::Message).await?;
    run.speak(Text::Message, &answer, &Value::Null).await?;
    Ok(Value::Null)
}
