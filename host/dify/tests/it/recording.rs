//! Reads one file of `tests/recordings`: what was asked, and the bytes that came back.

use std::path::PathBuf;
use std::sync::Arc;

use airlock_dify::{Mode, RunRequest};
use airlock_form::Form;
use serde_json::{Map, Value, json};

use crate::server::{Reply, Then};

pub(crate) struct Recording {
    pub(crate) path: String,
    /// What was sent, where it was JSON.
    pub(crate) request: Value,
    /// What was sent, whatever it was.
    pub(crate) sent: Vec<u8>,
    head: String,
    /// What came back, without its framing.
    pub(crate) body: Vec<u8>,
    /// Did the server leave the connection open at the end of the recording?
    held: bool,
}

fn file(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/recordings")
        .join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every recorded `.http` whose name the filter takes.
pub(crate) fn names(wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/recordings");
    let names = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names
        .filter_map(|name| name.strip_suffix(".http").map(str::to_owned))
        .filter(|name| wanted(name))
        .collect();
    names.sort();
    names
}

impl Recording {
    pub(crate) fn read(name: &str) -> Self {
        let text = String::from_utf8_lossy(&file(&format!("{name}.http"))).into_owned();
        let (_, text) = text.split_once("# --- request ---\n").unwrap();
        let (request, response) = text.split_once("# --- response ---\n").unwrap();
        let (head, body) = response.split_once("\n\n").unwrap();
        let (body, held) = match body.rfind("\n# --- ") {
            Some(at) => (&body[..at], true),
            None => (body, false),
        };
        let (request_head, request_body) = request.split_once("\n\n").unwrap_or((request, ""));
        Self {
            path: request_head.split(' ').nth(1).unwrap().to_owned(),
            request: serde_json::from_str(request_body.trim()).unwrap_or(Value::Null),
            sent: request_body.as_bytes().to_vec(),
            head: head.to_owned(),
            body: body.as_bytes().to_vec(),
            held,
        }
    }

    /// The media type of the answer.
    pub(crate) fn kind(&self) -> &str {
        let mut lines = self.head.lines();
        lines
            .find_map(|it| it.strip_prefix("Content-Type: "))
            .unwrap()
    }

    pub(crate) fn is_stream(&self) -> bool {
        self.head.contains("text/event-stream")
    }

    pub(crate) fn succeeded(&self) -> bool {
        self.head.starts_with("HTTP/1.1 2")
    }

    pub(crate) fn is_held(&self) -> bool {
        self.held
    }

    /// The recorded answer. A stream is framed in chunks of `cut` bytes; a JSON body's length is set right, because keys
    /// in it were shortened.
    pub(crate) fn reply(&self, cut: usize) -> Reply {
        let mut bytes = Vec::new();
        let chunked = self.head.contains("Transfer-Encoding: chunked");
        for line in self.head.lines() {
            if line.starts_with("Content-Length:") {
                bytes.extend(format!("Content-Length: {}\r\n", self.body.len()).bytes());
            } else {
                bytes.extend(format!("{line}\r\n").bytes());
            }
        }
        bytes.extend(b"\r\n");
        if chunked {
            for piece in self.body.chunks(cut) {
                bytes.extend(format!("{:X}\r\n", piece.len()).bytes());
                bytes.extend(piece);
                bytes.extend(b"\r\n");
            }
            if !self.held {
                bytes.extend(b"0\r\n\r\n");
            }
        } else {
            bytes.extend(&self.body);
        }
        Reply {
            bytes,
            cut,
            then: if self.held { Then::Hold } else { Then::Close },
        }
    }

    /// The same with the chunked framing as it stood on the wire, written in pieces of `cut` bytes.
    pub(crate) fn wire(name: &str, cut: usize) -> Reply {
        Reply {
            bytes: file(&format!("{name}.wire")),
            cut,
            then: Then::Close,
        }
    }

    /// The recorded request, to be made again, with a form that has just the inputs that were sent.
    pub(crate) fn run(&self, mode: &str) -> RunRequest {
        let text = |field: &str| self.request[field].as_str().map(str::to_owned);
        let inputs = self.request["inputs"]
            .as_object()
            .cloned()
            .unwrap_or_default();
        RunRequest {
            mode: Mode::from(mode),
            form: Arc::new(form_of(&inputs)),
            inputs,
            query: text("query"),
            conversation: text("conversation_id"),
            user: text("user").unwrap_or_else(|| "u1".to_owned()),
            files: self.request["files"]
                .as_array()
                .cloned()
                .unwrap_or_default(),
        }
    }
}

fn form_of(inputs: &Map<String, Value>) -> Form {
    let fields = inputs.iter().map(|(variable, value)| {
        let kind = match value {
            Value::Number(_) => "number",
            Value::Bool(_) => "checkbox",
            Value::Array(_) => "file-list",
            Value::Object(object) if object.contains_key("transfer_method") => "file",
            Value::Object(_) => "json_object",
            Value::String(_) | Value::Null => "paragraph",
        };
        json!({kind: {"variable": variable, "label": variable, "required": false}})
    });
    Form::parse(&json!({"user_input_form": fields.collect::<Vec<_>>()}))
}
