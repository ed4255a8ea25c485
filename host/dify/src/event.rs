//! What a run tells while it goes on.

use std::time::Duration;

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use crate::Answer;
use crate::step::Step;

/// One piece of news of a run. The last is [`Event::Done`]; a run that fails ends in an error instead.
#[derive(Debug, Clone)]
pub enum Event {
    /// Dify has taken the run on and named it; from here it can be stopped.
    Started,
    /// More of the answer.
    Text(String),
    /// All text so far is void; this stands in its place. All replacements of a run together are no longer than its answer
    /// may be: one beyond that comes empty, and [`Event::Done`] has its words.
    Replace(String),
    /// What an agent thinks, whole, as it stands now. Dify sends a thought again as it grows; repetitions are left out.
    Thought(String),
    /// A node of the workflow has begun. Text does not wait for it: Dify may send text of a node before this.
    NodeStarted(Node),
    /// A node of the workflow has ended.
    NodeFinished(Node),
    /// An iteration or a loop goes on.
    Round(Round),
    /// The app made a file, in Dify's description of it. [`Answer::files`] has it again.
    File(Value),
    /// An event that this crate has no word for: its name and its JSON, the `data` member where there is one.
    Other {
        /// Dify's word.
        name: String,
        /// Its JSON, verbatim.
        data: Box<RawValue>,
    },
    /// The last event.
    Done(Box<Answer>),
}

impl Event {
    /// A retry repeats the node's inputs and outputs; only what names it is passed on.
    pub(crate) fn retry(step: &Step<'_>) -> Self {
        let node = step.started();
        let brief = json!({"node_id": node.id, "node_type": node.kind, "title": node.title, "retry_index": step.retry_index()});
        Self::Other {
            name: "node_retry".to_owned(),
            data: to_raw_value(&brief).expect("a JSON value serialises"),
        }
    }

    /// An event without a word of its own, of which `event` is the whole text.
    pub(crate) fn other(name: &str, data: Option<&RawValue>, event: &str) -> Self {
        let data = match data {
            Some(data) => data.to_owned(),
            None => RawValue::from_string(event.to_owned()).expect("it was parsed as JSON"),
        };
        Self::Other {
            name: name.to_owned(),
            data,
        }
    }
}

/// A step of a workflow or chatflow. Its inputs and outputs are not kept: they may hold megabytes and secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Node {
    /// The node's id in the graph; a node in a loop comes again under the same id.
    pub id: String,
    /// `llm`, `code`, `http-request`, …
    pub kind: String,
    /// What the author of the app called it.
    pub title: String,
    /// Set when it has finished: `succeeded`, `failed`, `exception`, `stopped`, `paused`, or a later word.
    pub status: Option<String>,
    /// How long it took, when it has finished.
    pub elapsed: Option<Duration>,
}

/// Which of Dify's two repeating nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoundKind {
    /// Over a list; the total is exact. In a parallel one all rounds begin at once.
    Iteration,
    /// Until a condition holds; the total is only its maximum.
    Loop,
}

/// How far an iteration or a loop has come. One over an empty list says nothing at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// Iteration or loop.
    pub kind: RoundKind,
    /// The repeating node's id in the graph.
    pub id: String,
    /// What the author of the app called it.
    pub title: String,
    /// Rounds that have begun. Dify does not announce a loop's first one; it is counted from the loop's start.
    pub begun: u64,
    /// How many there will be (iteration), or may be (loop).
    pub total: Option<u64>,
    /// Has the whole node ended?
    pub finished: bool,
}
