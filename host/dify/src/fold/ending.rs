//! A run's answer, put together at its end.

use std::collections::VecDeque;

use serde_json::{Map, Value, json};

use super::Fold;
use crate::outputs::within;
use crate::wire::RunState;
use crate::{Answer, Event, Mode, Status, human_input};

impl Fold {
    pub(super) fn finish(&mut self, status: Status, state: RunState, out: &mut VecDeque<Event>) {
        self.done = true;
        let (mut extra, end_files) = self.end.take().unwrap_or_default();
        let usage = extra
            .shift_remove("usage")
            .filter(|usage| !usage.is_null())
            .or_else(|| flow_usage(&state));
        extra.retain(|_, value| !is_empty(value));
        if status == Status::PartialSucceeded {
            extra.insert(
                "note".to_owned(),
                json!("A step failed and its error branch or default value was taken."),
            );
        }
        let forms = match status {
            Status::Paused => human_input::waiting(std::mem::take(&mut self.forms), state.reasons),
            Status::Succeeded | Status::PartialSucceeded | Status::Other(_) => Vec::new(),
        };
        let (mut text, truncated) = self.text.take();
        // Some agents fill their thoughts only; the last one is the answer.
        if text.is_empty() && !self.text.is_pinned() {
            text = std::mem::take(&mut self.last_thought);
        }
        let files = if self.flow {
            flow_files(end_files, state.files)
        } else {
            self.own_files(end_files)
        };
        // A mode of tomorrow may be a workflow by another name.
        let unheard =
            matches!(self.mode, Mode::Other(_)) && text.is_empty() && !self.text.is_pinned();
        let (outputs, cut) = if self.mode == Mode::Workflow || unheard {
            within(state.outputs.unwrap_or_default(), self.cap)
        } else {
            (Map::new(), false)
        };
        let conversation = self.conversation.take();
        out.push_back(Event::Done(Box::new(Answer {
            status,
            text,
            truncated: truncated || cut,
            outputs,
            usage,
            conversation_restarted: self.asked.is_some()
                && conversation.is_some()
                && self.asked != conversation,
            conversation,
            extra,
            forms,
            files,
            task_id: self.ids.task.clone(),
            run_id: self.ids.run.clone(),
        })));
    }

    /// A chat mode's `message_end` lists the caller's uploads too; the app's own were announced by `message_file`.
    fn own_files(&mut self, end: Vec<Value>) -> Vec<Value> {
        let announced = std::mem::take(&mut self.files);
        let described = |file: &Value| {
            end.iter()
                .find(|at_end| at_end["related_id"] == file["id"])
                .cloned()
        };
        announced
            .into_iter()
            .map(|file| described(&file).unwrap_or(file))
            .collect()
    }
}

/// A flow's `message_end` and `workflow_finished` list the same files; either may be null in older versions.
fn flow_files(end: Vec<Value>, state: Option<Vec<Value>>) -> Vec<Value> {
    if end.is_empty() {
        state.unwrap_or_default()
    } else {
        end
    }
}

fn flow_usage(state: &RunState) -> Option<Value> {
    let tokens = state.total_tokens?;
    Some(
        json!({"total_tokens": tokens, "total_steps": state.total_steps, "elapsed_time": state.elapsed_time}),
    )
}

fn is_empty(value: &Value) -> bool {
    value.is_null()
        || value.as_array().is_some_and(Vec::is_empty)
        || value.as_object().is_some_and(Map::is_empty)
}
