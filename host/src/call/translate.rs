//! From Dify's words to the contract's, and from Dify's events to words for the person who waits.

use std::sync::Arc;

use airlock_dify::{Answer, Error, Event, Node, Status};
use airlock_sandbox::wit;
use serde_json::{Value, json};

use super::partial::Partial;
use super::pauses;
use super::service::Inner;
use crate::files::CallFiles;

/// Turns events into progress messages.
#[derive(Default)]
pub(super) struct Messages {
    nodes: bool,
    characters: usize,
    /// Where the text itself is to be seen.
    partial: Option<Partial>,
}

/// Characters of the answer between two messages of a mode that has no nodes to name.
const TEXT_STEP: usize = 200;

impl Messages {
    /// With the answer's text among them.
    pub(super) fn with_text(files: &Arc<CallFiles>) -> Self {
        Self {
            partial: Some(Partial::new(files)),
            ..Self::default()
        }
    }

    /// The message that `event` is worth.
    pub(super) fn of(&mut self, event: &Event) -> Option<String> {
        match (event, &mut self.partial) {
            (Event::Text(text), Some(partial)) => return partial.push(text),
            (Event::Replace(text), Some(partial)) => return partial.replace(text),
            _ => {}
        }
        match event {
            Event::Started => Some("Dify has started".into()),
            Event::NodeStarted(node) => {
                self.nodes = true;
                Some(named(node).to_owned())
            }
            Event::NodeFinished(node) => {
                let status = node
                    .status
                    .as_deref()
                    .filter(|status| *status != "succeeded")?;
                Some(format!("{}: {status}", named(node)))
            }
            Event::Round(round) if !round.finished => Some(match round.total {
                Some(total) => format!("{}: {} of {total}", round.title, round.begun),
                None => format!("{}: {}", round.title, round.begun),
            }),
            Event::Thought(_) => Some("Thinking".into()),
            // The text itself stays back where nobody has asked for it: a moderation may still replace it.
            Event::Text(text) if !self.nodes => {
                let before = self.characters / TEXT_STEP;
                let first = self.characters == 0;
                self.characters += text.chars().count();
                (first || self.characters / TEXT_STEP > before)
                    .then(|| format!("Answering ({} characters so far)", self.characters))
            }
            Event::Text(_)
            | Event::Replace(_)
            | Event::Round(_)
            | Event::File(_)
            | Event::Other { .. }
            | Event::Done(_) => None,
        }
    }
}

fn named(node: &Node) -> &str {
    if node.title.is_empty() {
        &node.kind
    } else {
        &node.title
    }
}

/// An event for a guest; `None` for what the contract has no use for, and for what needs its run's state.
pub(super) fn event(event: Event, files: &CallFiles) -> Option<wit::Event> {
    let clean = |text: String| files.without_links(&text, &mut Vec::new()).unwrap_or(text);
    Some(match event {
        Event::Started | Event::Text(_) | Event::Done(_) => return None,
        Event::Replace(text) => wit::Event::Replace(clean(text)),
        Event::Thought(text) => wit::Event::Thought(clean(text)),
        Event::File(file) => wit::Event::File(files.found(file.as_object()?)?),
        Event::NodeStarted(node) => wit::Event::NodeStarted(wit_node(node)),
        Event::NodeFinished(node) => wit::Event::NodeFinished(wit_node(node)),
        Event::Round(round) => wit::Event::Other((
            "round".into(),
            json!({"id": round.id, "title": round.title, "begun": round.begun, "total": round.total, "finished": round.finished})
                .to_string(),
        )),
        Event::Other { name, data } => {
            let mut data: Value = serde_json::from_str(data.get()).ok()?;
            files.replace(&mut data, &mut Vec::new());
            wit::Event::Other((name, data.to_string()))
        }
    })
}

fn wit_node(node: Node) -> wit::Node {
    wit::Node {
        elapsed_ms: node
            .elapsed
            .map(|time| u32::try_from(time.as_millis()).unwrap_or(u32::MAX)),
        id: node.id,
        kind: node.kind,
        title: node.title,
        status: node.status,
        extra: "{}".into(),
    }
}

/// The end of a run, for a guest: a conversation becomes a handle, so does what a paused run waits for, and files become
/// references, each once and in the order in which Dify names them.
pub(super) fn answer(mut answer: Answer, service: &Inner, files: &CallFiles) -> wit::Answer {
    let mut found = Vec::new();
    let made = std::mem::take(&mut answer.files);
    files.replace(&mut Value::Array(made), &mut found);
    let mut extra = std::mem::take(&mut answer.extra);
    if answer.status == Status::Paused {
        extra.insert("pauses".into(), pauses::of(&answer, service));
    }
    if answer.truncated {
        extra.insert("truncated".into(), true.into());
    }
    if answer.conversation_restarted {
        extra.insert("conversation_restarted".into(), true.into());
    }
    let mut outputs = Value::Object(answer.outputs);
    files.replace(&mut outputs, &mut found);
    let text = files
        .without_links(&answer.text, &mut found)
        .unwrap_or(answer.text);
    let mut extra = Value::Object(extra);
    // What was looked up to find the answer is no part of it.
    files.replace(&mut extra, &mut Vec::new());
    wit::Answer {
        status: answer.status.as_str().to_owned(),
        text,
        outputs: outputs.to_string(),
        files: found,
        usage: answer.usage.map(|usage| usage.to_string()),
        conversation: answer.conversation.map(|id| {
            service
                .shared
                .identities
                .seal_conversation(&service.record, &id)
        }),
        extra: extra.to_string(),
    }
}

/// Dify's failure, in the caller's words.
pub(super) fn error(error: &Error) -> wit::Error {
    match error {
        Error::InvalidInputs(_) | Error::MissingQuery | Error::UnknownAction { .. } => {
            wit::Error::InvalidArguments(error.caller())
        }
        // The person who filled it in can correct it.
        Error::InvalidParam { code, .. } if code == "invalid_form_data" => {
            wit::Error::InvalidArguments(error.caller())
        }
        other => wit::Error::Dify(wit::DifyError {
            status: other.status(),
            code: other.code().to_owned(),
            message: other.caller(),
            retryable: other.retryable(),
            extra: "{}".into(),
        }),
    }
}

fn own(code: &str, message: &str, retryable: bool) -> wit::Error {
    wit::Error::Dify(wit::DifyError {
        status: 0,
        code: code.into(),
        message: message.into(),
        retryable,
        extra: "{}".into(),
    })
}

/// There is no Dify to ask.
pub(super) fn no_dify() -> wit::Error {
    own(
        "unreachable",
        "This server knows no Dify. Its operator has to set one up.",
        false,
    )
}

/// The host's end of a run went away.
pub(super) fn lost() -> wit::Error {
    own(
        "incomplete",
        "The run was lost inside this server. Try again.",
        true,
    )
}

/// A guest asked for the end of a run that it had already been given.
pub(super) fn over() -> wit::Error {
    wit::Error::Failed("the run is over, and its answer was handed over before".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_without_nodes_still_moves() {
        let mut messages = Messages::default();
        assert!(
            messages.of(&Event::Text("Hi".into())).is_some(),
            "the first words are news"
        );
        assert!(
            messages.of(&Event::Text(" there".into())).is_none(),
            "the next ones are not"
        );
        assert!(messages.of(&Event::Text("x".repeat(TEXT_STEP))).is_some());
    }
}
