//! An event that tells of a step of a graph, read in one pass, of which nothing is copied but what is told on.
//!
//! Dify repeats in it whatever went into the step and came out of it, which may be megabytes.

use std::borrow::Cow;
use std::time::Duration;

use memchr::memchr;

use crate::Node;
use crate::walk::Walk;
use crate::wire::{Names, lossy};

/// Does the JSON begin by saying that it tells of a step: a node, an iteration, a loop? Such an event may be missed, since
/// nothing of it is part of the answer.
pub(crate) fn is_step(json: &[u8]) -> bool {
    let head = &json[..json.len().min(64)];
    let mut parts = head.split(|&byte| byte == b'"').map(<[u8]>::trim_ascii);
    let begins = [b"{".as_slice(), b"event", b":"]
        .into_iter()
        .all(|part| parts.next() == Some(part));
    let name = parts.next().unwrap_or_default();
    begins
        && [b"node_".as_slice(), b"iteration_", b"loop_"]
            .into_iter()
            .any(|word| name.starts_with(word))
}

/// `node_*`, `iteration_*`, `loop_*`.
#[derive(Debug, Default)]
pub(crate) struct StepEvent<'a> {
    event: Raw<'a>,
    task_id: Raw<'a>,
    workflow_run_id: Raw<'a>,
    conversation_id: Raw<'a>,
    pub(crate) data: Step<'a>,
}

/// Its `data`.
#[derive(Debug, Default)]
pub(crate) struct Step<'a> {
    node_id: Raw<'a>,
    node_type: Raw<'a>,
    title: Raw<'a>,
    status: Raw<'a>,
    elapsed_time: Raw<'a>,
    index: Raw<'a>,
    retry_index: Raw<'a>,
    iteration_length: Raw<'a>,
    loop_length: Raw<'a>,
}

impl<'a> StepEvent<'a> {
    /// None for what cannot be read like this.
    pub(crate) fn read(json: &'a [u8]) -> Option<Self> {
        let mut event = Self::default();
        let mut walk = Walk::new(json);
        walk.object(|name, walk| {
            let field = match name {
                b"data" => return event.data.walk(walk),
                b"event" => &mut event.event,
                b"task_id" => &mut event.task_id,
                b"workflow_run_id" => &mut event.workflow_run_id,
                b"conversation_id" => &mut event.conversation_id,
                _ => return walk.value().map(drop),
            };
            *field = Raw(walk.value()?);
            Some(())
        })?;
        walk.is_over().then_some(event)
    }

    /// The event's name, as it stands.
    pub(crate) fn name(&self) -> &'a [u8] {
        self.event.quoted().unwrap_or_default()
    }

    pub(crate) fn names(&self) -> Names<'a> {
        Names {
            task: self.task_id.quoted(),
            run: self.workflow_run_id.quoted(),
            conversation: self.conversation_id.quoted(),
        }
    }
}

impl<'a> Step<'a> {
    /// Reads a `data` member by itself.
    pub(crate) fn read(json: &'a [u8]) -> Self {
        let mut step = Self::default();
        // Whatever stands before the place where it cannot be read on counts.
        let _ = step.walk(&mut Walk::new(json));
        step
    }

    fn walk(&mut self, walk: &mut Walk<'a>) -> Option<()> {
        walk.object(|name, walk| {
            let field = match name {
                b"metadata" => return self.walk_metadata(walk),
                b"node_id" => &mut self.node_id,
                b"node_type" => &mut self.node_type,
                b"title" => &mut self.title,
                b"status" => &mut self.status,
                b"elapsed_time" => &mut self.elapsed_time,
                b"index" => &mut self.index,
                b"retry_index" => &mut self.retry_index,
                _ => return walk.value().map(drop),
            };
            *field = Raw(walk.value()?);
            Some(())
        })
    }

    fn walk_metadata(&mut self, walk: &mut Walk<'a>) -> Option<()> {
        walk.object(|name, walk| {
            let field = match name {
                b"iteration_length" => &mut self.iteration_length,
                b"loop_length" => &mut self.loop_length,
                _ => return walk.value().map(drop),
            };
            *field = Raw(walk.value()?);
            Some(())
        })
    }

    pub(crate) fn id(&self) -> Option<Cow<'a, str>> {
        self.node_id.text()
    }

    pub(crate) fn title(&self) -> Option<Cow<'a, str>> {
        self.title.text()
    }

    pub(crate) fn index(&self) -> Option<u64> {
        self.index.whole()
    }

    pub(crate) fn retry_index(&self) -> Option<u64> {
        self.retry_index.whole()
    }

    /// How many rounds there are to be.
    pub(crate) fn rounds(&self) -> Option<u64> {
        self.iteration_length
            .whole()
            .or_else(|| self.loop_length.whole())
    }

    pub(crate) fn started(&self) -> Node {
        let owned = |raw: Raw<'_>| raw.text().map(Cow::into_owned).unwrap_or_default();
        Node {
            id: owned(self.node_id),
            kind: owned(self.node_type),
            title: owned(self.title),
            status: None,
            elapsed: None,
        }
    }

    pub(crate) fn finished(&self) -> Node {
        let seconds = self.elapsed_time.real();
        Node {
            status: self.status.text().map(Cow::into_owned),
            elapsed: seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            ..self.started()
        }
    }
}

/// A value as it stands, or nothing. One of another type than is looked for counts as absent.
#[derive(Debug, Default, Clone, Copy)]
struct Raw<'a>(&'a [u8]);

impl<'a> Raw<'a> {
    fn quoted(self) -> Option<&'a [u8]> {
        self.0.strip_prefix(b"\"")?.strip_suffix(b"\"")
    }

    fn text(self) -> Option<Cow<'a, str>> {
        let text = self.quoted()?;
        match memchr(b'\\', text) {
            None => Some(lossy(text)),
            Some(_) => serde_json::from_str(&lossy(self.0)).ok().map(Cow::Owned),
        }
    }

    fn whole(self) -> Option<u64> {
        serde_json::from_slice(self.0).ok()
    }

    fn real(self) -> Option<f64> {
        serde_json::from_slice(self.0).ok()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_tells_of_a_step_is_seen_at_its_beginning() {
        for step in [
            r#"{"event":"node_finished","data":{}}"#,
            r#" { "event" : "loop_next"}"#,
            r#"{"event": "iteration_started", "x"#,
        ] {
            assert!(is_step(step.as_bytes()), "{step}");
        }
        for other in [
            r#"{"event":"message","answer":"node_"}"#,
            r#"{"answer":"event","event":"node_started"}"#,
            r#"{"event":"nod"#,
            r#"["event","node_started"]"#,
            "",
        ] {
            assert!(!is_step(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_step_is_read_with_its_escapes_and_what_is_of_another_type_counts_as_absent() {
        let json = json!({
            "event": "node_finished", "task_id": "t", "workflow_run_id": 7, "conversation_id": null,
            "data": {
                "id": "x", "node_id": "n", "node_type": ["code"], "title": "\"Größe\"\n\u{1f600}", "status": "succeeded",
                "inputs": {"title": "another", "status": "failed"}, "elapsed_time": 1.5, "index": -1, "retry_index": 2,
                "metadata": {"iteration_length": "3", "loop_length": 4},
            },
        });
        let json = serde_json::to_string_pretty(&json).expect("JSON");
        let event = StepEvent::read(json.as_bytes()).expect("readable");
        assert_eq!(event.name(), b"node_finished");
        let names = event.names();
        assert_eq!(
            (names.task, names.run, names.conversation),
            (Some(b"t".as_slice()), None, None)
        );
        let step = event.data;
        let node = Node {
            id: "n".to_owned(),
            kind: String::new(),
            title: "\"Größe\"\n\u{1f600}".to_owned(),
            status: Some("succeeded".to_owned()),
            elapsed: Some(Duration::from_millis(1500)),
        };
        assert_eq!(step.finished(), node);
        let counts = (step.index(), step.retry_index(), step.rounds());
        assert_eq!(counts, (None, Some(2), Some(4)));
    }

    #[test]
    fn inputs_and_outputs_are_passed_over_however_deep_they_are_and_whatever_they_hold() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        // Python writes what is no JSON.
        for inputs in [&deep, "NaN", "[Infinity, -Infinity]"] {
            let data = format!(r#"{{"node_id":"n","inputs":{inputs},"status":"succeeded"}}"#);
            let json = format!(r#"{{"event":"node_finished","data":{data}}}"#);
            let event = StepEvent::read(json.as_bytes()).expect("readable");
            for step in [event.data, Step::read(data.as_bytes())] {
                let node = step.finished();
                assert_eq!(
                    (node.id.as_str(), node.status.as_deref()),
                    ("n", Some("succeeded"))
                );
            }
        }
    }

    #[test]
    fn bytes_that_are_no_text_do_no_harm() {
        for title in [b"\xff\xfe".as_slice(), b"a\xff\\n"] {
            let json = [b"{\"data\":{\"title\":\"", title, b"\"}}"].concat();
            let event = StepEvent::read(&json).expect("readable");
            assert!(event.data.started().title.contains('\u{fffd}'));
        }
    }
}
