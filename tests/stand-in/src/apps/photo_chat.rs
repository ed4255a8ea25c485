//! `Photo Chat`, a chat app that looks at pictures and answers with one.

use serde_json::{Value, json};

use crate::files::{self, File};
use crate::form::Form;
use crate::run::{Halt, Run, Text};

pub(super) fn form() -> Form {
    Form::of_simple_app(Vec::new())
}

pub(super) async fn play(run: &mut Run) -> Result<Value, Halt> {
    let seen = run
        .inputs
        .get("sys.files")
        .and_then(Value::as_array)
        .cloned();
    let seen: Vec<String> = seen
        .unwrap_or_default()
        .iter()
        .map(|file| super::file_clerk::said(run, file))
        .collect();
    let file = File::made("sketch.txt", "text/plain", "a sketch");
    let id = run.state.keep_file(file.clone());
    // As a tool's file stands in an answer: its link is signed and relative.
    let answer = format!(
        "I saw {}: [sketch]({})",
        seen.join(" and "),
        files::address(&file, &id)
    );
    run.speak(Text::Message, &answer, &Value::Null).await?;
    Ok(json!(null))
}
