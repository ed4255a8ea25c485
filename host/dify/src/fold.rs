//! Dify's events, of whatever mode, folded into one answer.
//!
//! Which event is the last is told by the stream and not by the mode: `message_end` ends a run in which no workflow has
//! begun (the chat modes, and a chatflow whose input moderation refuses before it starts); otherwise `workflow_finished`
//! or `workflow_paused` does, and `message_end` only completes the text. An `error` always ends the run.

use std::collections::VecDeque;

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};

use crate::rounds::Rounds;
use crate::text::{Text, prefix};
use crate::wire::{Envelope, NodeData, RunState, TextData};
use crate::{Answer, Error, Event, Ids, Mode, RoundKind, Status, refusal};

/// Longest id that is believed; Dify's are UUIDs. Ids go into paths and logs.
const LONGEST_ID: usize = 128;

/// Files of one run that are kept.
const MOST_FILES: usize = 64;

/// What has been learnt of a run so far.
#[derive(Debug)]
pub(crate) struct Fold {
    mode: Mode,
    asked: Option<String>,
    cap: usize,
    ids: Ids,
    conversation: Option<String>,
    /// A workflow has begun.
    flow: bool,
    text: Text,
    /// The new agent's deltas, which its closing `message` repeats as a whole.
    draft: bool,
    /// The latest thought and its id. Steps follow one another, so only the latest can still change.
    thought: (Option<String>, String),
    last_thought: String,
    rounds: Rounds,
    /// `message_file` events of the app's own files.
    files: Vec<Value>,
    /// `message_end`: the text is complete, and moderation has spoken.
    end: Option<(Map<String, Value>, Vec<Value>)>,
    done: bool,
}

impl Fold {
    /// `asked` is the conversation that was to go on, `cap` bounds the text.
    pub(crate) fn new(mode: Mode, asked: Option<String>, cap: usize) -> Self {
        Self {
            mode,
            asked: asked.filter(|id| !id.is_empty()),
            cap,
            ids: Ids::default(),
            conversation: None,
            flow: false,
            text: Text::new(cap),
            draft: false,
            thought: (None, String::new()),
            last_thought: String::new(),
            rounds: Rounds::default(),
            files: Vec::new(),
            end: None,
            done: false,
        }
    }

    pub(crate) fn mode(&self) -> &Mode {
        &self.mode
    }

    pub(crate) fn ids(&self) -> &Ids {
        &self.ids
    }

    /// Has the last event been given?
    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    /// Takes the data of one event; what it means goes to `out`. An error is the end of the run.
    pub(crate) fn apply(&mut self, data: &[u8], out: &mut VecDeque<Event>) -> Result<(), Error> {
        let data = String::from_utf8_lossy(data);
        let event: Envelope<'_> = match serde_json::from_str(&data) {
            Ok(event) => event,
            Err(error) => {
                tracing::debug!(%error, "an event of Dify that is no JSON object was passed over");
                return Ok(());
            }
        };
        self.learn(&event, out);
        match event.event.as_str() {
            "message" if self.draft => {
                self.draft = false;
                let whole = event.answer.unwrap_or_default();
                if whole != self.text.as_str() && !self.text.is_pinned() {
                    out.push_back(Event::Replace(self.text.replace(&whole)));
                }
            }
            "agent_message" => {
                self.draft = self.mode == Mode::Agent;
                self.say(event.answer, out);
            }
            "message" => self.say(event.answer, out),
            // Once a message owns a file, Dify may label its text deltas like this.
            "message_file" if event.answer.is_some() => self.say(event.answer, out),
            "message_file" => self.announce(&event, &data, out),
            "text_chunk" => self.say(event.data::<TextData>().text, out),
            "message_replace" => self.overrule(event.answer, out),
            "text_replace" => self.overrule(event.data::<TextData>().text, out),
            "agent_thought" => self.think(event.id, event.thought, out),
            "node_started" => out.push_back(Event::NodeStarted(event.data::<NodeData>().started())),
            "node_finished" => {
                out.push_back(Event::NodeFinished(event.data::<NodeData>().finished()))
            }
            "iteration_started" | "iteration_next" | "iteration_completed" => {
                self.round(RoundKind::Iteration, &event, out);
            }
            "loop_started" | "loop_next" | "loop_completed" => {
                self.round(RoundKind::Loop, &event, out)
            }
            "node_retry" => out.push_back(retry(event.data())),
            "message_end" => {
                self.end = Some((
                    event.metadata.unwrap_or_default(),
                    event.files.unwrap_or_default(),
                ));
                if !self.flow {
                    self.finish(Status::Succeeded, RunState::default(), out);
                }
            }
            "workflow_finished" => return self.settle(event.data(), out),
            "workflow_paused" => {
                return self.settle(
                    RunState {
                        status: Some("paused".to_owned()),
                        ..event.data()
                    },
                    out,
                );
            }
            "error" => {
                let status = event.status.unwrap_or(0);
                return Err(refusal::of_event(
                    status,
                    event.code,
                    event.message.unwrap_or_default(),
                    &self.ids,
                ));
            }
            // Pings may carry data one day; speech is for Dify's own player and large.
            "workflow_started" | "ping" | "tts_message" | "tts_message_end" => {}
            name => out.push_back(other(name, event.data, &data)),
        }
        Ok(())
    }

    /// How the run ended, as an event or `GET /workflows/run/{id}` tells it. An error is how it failed.
    fn settle(&mut self, state: RunState, out: &mut VecDeque<Event>) -> Result<(), Error> {
        let ids = || self.ids.clone();
        let status = match state.status.as_deref() {
            Some("succeeded") => Status::Succeeded,
            Some("partial-succeeded") => Status::PartialSucceeded,
            Some("paused") => Status::Paused,
            Some("stopped") => return Err(Error::Stopped { ids: ids() }),
            // Up to 1.14 a stopped run is a failed one with this sentence; 1.16 has a status of its own.
            Some("failed") if state.error.as_deref() == Some("Aborted: User requested stop") => {
                return Err(Error::Stopped { ids: ids() });
            }
            Some("failed") => {
                return Err(Error::RunFailed {
                    message: state.error.unwrap_or_default(),
                    ids: ids(),
                });
            }
            Some(word) if state.error.is_none() => Status::Other(word.to_owned()),
            Some(_) | None => {
                return Err(Error::RunFailed {
                    message: state.error.unwrap_or_default(),
                    ids: ids(),
                });
            }
        };
        self.finish(status, state, out);
        Ok(())
    }

    /// The stream ended, or fell silent, before its last event. Does what is known of the run make up for it?
    ///
    /// A chatflow's stored outputs are no substitute for its text: they hold the answer as it was before moderation, and
    /// whether moderation replaced it was in the part that was lost. So its text counts only once `message_end` was seen.
    pub(crate) fn recover(
        &mut self,
        state: Option<RunState>,
        out: &mut VecDeque<Event>,
    ) -> Result<bool, Error> {
        let state = state.unwrap_or_default();
        let complete = self.mode == Mode::Workflow || self.end.is_some();
        match state.status.as_deref() {
            Some("failed" | "stopped") => self.settle(state, out)?,
            Some("succeeded" | "partial-succeeded" | "paused") if complete => {
                self.settle(state, out)?
            }
            // A chatflow that fails or pauses has no `message_end`, so with one it went well.
            _ if self.end.is_some() => self.finish(Status::Succeeded, RunState::default(), out),
            _ => {}
        }
        Ok(self.done)
    }

    fn learn(&mut self, event: &Envelope<'_>, out: &mut VecDeque<Event>) {
        if let Some(run) = event.workflow_run_id.as_deref().filter(|id| is_id(id)) {
            self.flow = true;
            self.ids.run.get_or_insert_with(|| run.to_owned());
        }
        self.flow |= event.event == "workflow_started";
        if let Some(conversation) = event.conversation_id.as_deref().filter(|id| is_id(id)) {
            self.conversation
                .get_or_insert_with(|| conversation.to_owned());
        }
        if let (None, Some(task)) = (
            &self.ids.task,
            event.task_id.as_deref().filter(|id| is_id(id)),
        ) {
            self.ids.task = Some(task.to_owned());
            out.push_back(Event::Started);
        }
    }

    fn say(&mut self, delta: Option<String>, out: &mut VecDeque<Event>) {
        let kept = delta.and_then(|delta| self.text.push(&delta));
        out.extend(kept.map(Event::Text));
    }

    fn overrule(&mut self, text: Option<String>, out: &mut VecDeque<Event>) {
        let kept = self.text.replace(&text.unwrap_or_default());
        self.text.pin();
        out.push_back(Event::Replace(kept));
    }

    fn think(&mut self, id: Option<String>, thought: Option<String>, out: &mut VecDeque<Event>) {
        let thought = thought.unwrap_or_default();
        let thought = prefix(&thought, self.cap).to_owned();
        let now = (id, thought);
        if now != self.thought && !now.1.is_empty() {
            self.last_thought.clone_from(&now.1);
            out.push_back(Event::Thought(now.1.clone()));
        }
        self.thought = now;
    }

    fn announce(&mut self, event: &Envelope<'_>, data: &str, out: &mut VecDeque<Event>) {
        if event.belongs_to.as_deref() != Some("assistant") || self.files.len() >= MOST_FILES {
            return;
        }
        if let Ok(file) = serde_json::from_str::<Value>(data) {
            self.files.push(file.clone());
            out.push_back(Event::File(file));
        }
    }

    fn round(&mut self, kind: RoundKind, event: &Envelope<'_>, out: &mut VecDeque<Event>) {
        let mut data: NodeData = event.data();
        let id = data
            .node_id
            .take()
            .filter(|id| is_id(id))
            .unwrap_or_default();
        out.push_back(Event::Round(self.rounds.take(kind, &event.event, id, data)));
    }

    fn finish(&mut self, status: Status, state: RunState, out: &mut VecDeque<Event>) {
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
        if let Some(reasons) = state.reasons {
            extra.insert("reasons".to_owned(), Value::Array(reasons));
        }
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
        let outputs = if self.mode == Mode::Workflow {
            state.outputs.unwrap_or_default()
        } else {
            Map::new()
        };
        let conversation = self.conversation.take();
        out.push_back(Event::Done(Box::new(Answer {
            status,
            text,
            truncated,
            outputs,
            usage,
            conversation_restarted: self.asked.is_some()
                && conversation.is_some()
                && self.asked != conversation,
            conversation,
            extra,
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

fn is_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !text.is_empty() && text.len() <= LONGEST_ID && text.bytes().all(plain)
}

/// A retry repeats the node's inputs and outputs; only what names it is passed on.
fn retry(node: NodeData) -> Event {
    let retry_index = node.retry_index;
    let node = node.started();
    let brief = json!({"node_id": node.id, "node_type": node.kind, "title": node.title, "retry_index": retry_index});
    Event::Other {
        name: "node_retry".to_owned(),
        data: to_raw_value(&brief).expect("a JSON value serialises"),
    }
}

fn other(name: &str, data: Option<&RawValue>, event: &str) -> Event {
    let data = match data {
        Some(data) => data.to_owned(),
        None => RawValue::from_string(event.to_owned()).expect("it was parsed as JSON"),
    };
    Event::Other {
        name: name.to_owned(),
        data,
    }
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
