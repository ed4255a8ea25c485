//! `File Clerk`, a workflow that says what files it was given and makes others.

use serde_json::{Value, json};

use crate::files::{self, File};
use crate::form::{Field, Form, Kind};
use crate::nodes::Node;
use crate::run::{Halt, Run};

const START: Node = Node::new("start1", "start", "Start");
const LOOK: Node = Node::new("look1", "document-extractor", "Look at the files");
const END: Node = Node::new("end1", "end", "End");

/// The smallest picture.
const PIXEL: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\xfc\xcf\xc0P\x0f\0\x04\x85\x01\x80\x84\xa9\x8c!\0\0\0\0IEND\xaeB`\x82";

pub(super) fn form() -> Form {
    Form::of_flow(vec![
        Field::new(Kind::File, "doc", "Document")
            .files(&["document", "image"], &["local_file", "remote_url"]),
        Field::new(Kind::FileList, "docs", "Documents")
            .files(&["document"], &["local_file", "remote_url"])
            .max_length(3),
        // What to make: `png`, `pdf`, `txt`, `big`, `away URL`, one a word.
        Field::new(Kind::Text, "make", "What to make"),
    ])
}

pub(super) async fn play(run: &mut Run) -> Result<Value, Halt> {
    let inputs = json!(run.inputs);
    run.node(&START, inputs.clone(), inputs).await;
    run.slow_nodes().await?;

    let given = [&run.inputs["doc"], &run.inputs["docs"]];
    let files = given.into_iter().flat_map(|value| match value {
        Value::Array(items) => items.clone(),
        Value::Null => Vec::new(),
        file => vec![file.clone()],
    });
    let read: Vec<String> = files.map(|file| said(run, &file)).collect();
    run.working_node(&LOOK, json!({}), json!({"read": read}))
        .await?;

    let make = run.input("make", "");
    let mut made = Vec::new();
    let mut words = make.split_whitespace();
    while let Some(word) = words.next() {
        let file = match word {
            "away" => {
                made.push(files::elsewhere(words.next().unwrap_or_default()));
                continue;
            }
            "png" => File::made("chart.png", "image/png", PIXEL),
            "pdf" => File::made("report.pdf", "application/pdf", vec![b'%'; 40_000]),
            "txt" => File::made("note.txt", "text/plain", "a short note"),
            "big" => File::made("film.mp4", "video/mp4", vec![0; 3 << 20]),
            _ => continue,
        };
        let id = run.state.keep_file(file);
        made.push(files::describe(&run.state, &id));
    }
    let mut outputs = json!({"read": read});
    if !made.is_empty() {
        outputs["made"] = json!(made);
    }
    run.node(&END, outputs.clone(), outputs.clone()).await;
    run.files = made;
    Ok(outputs)
}

/// `name: N bytes`, or the address where there is only that.
pub(super) fn said(run: &Run, file: &Value) -> String {
    let name = file["filename"].as_str().unwrap_or_default();
    match file["transfer_method"].as_str() {
        Some("local_file") => {
            let id = file["related_id"].as_str().unwrap_or_default();
            let bytes = run.state.file(id).map_or(0, |file| file.bytes.len());
            format!(
                "{name}: {bytes} bytes, {}",
                file["type"].as_str().unwrap_or_default()
            )
        }
        _ => file["url"].as_str().unwrap_or_default().to_owned(),
    }
}
