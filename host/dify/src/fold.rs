//! Dify's events, of whatever mode, folded into one answer.
//!
//! Which event is the last is told by the stream and not by the mode: `message_end` ends a run in which no workflow has
//! begun (the chat modes, and a chatflow whose input moderation refuses before it starts); otherwise `workflow_finished`
//! or `workflow_paused` does, and `message_end` only completes the text. An `error` always ends the run.
//!
//! A run may be joined in its middle. What it said before is lost then, and its text is made whole at the end.

mod ending;

use std::borrow::Cow;
use std::collections::VecDeque;

use serde_json::{Map, Value};

use crate::joined::{self, Joined};
use crate::rounds::Rounds;
use crate::step::{Step, StepEvent, is_step};
use crate::text::{Text, prefix};
use crate::wire::{AnyEvent, Names, RunState, TextData, lossy};
use crate::{Error, Event, HumanForm, Ids, Known, Mode, RoundKind, Status, refusal};

/// Longest id that is believed; Dify's are UUIDs. Ids go into paths and logs.
const LONGEST_ID: usize = 128;
/// Bytes of a thought that is told while the run goes on; the last one is kept whole, since it may be the answer.
const LONGEST_THOUGHT: usize = 64 << 10;
/// Bytes of an event that is told as it stands.
const LARGEST_NEWS: usize = 256 << 10;
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
    /// Bytes that replacements of the text may still have on their way to whoever reads the events.
    replaceable: usize,
    /// The new agent's deltas, which its closing `message` repeats as a whole.
    draft: bool,
    /// The latest thought and its id. Steps follow one another, so only the latest can still change.
    thought: (Option<String>, String),
    last_thought: String,
    rounds: Rounds,
    /// `message_file` events of the app's own files.
    files: Vec<Value>,
    /// What a person is asked, told before the pause and again with it.
    forms: Vec<HumanForm>,
    /// Set where the reading began in the middle.
    joined: Option<Joined>,
    /// `message_end`: the text is complete, and moderation has spoken.
    end: Option<(Map<String, Value>, Vec<Value>)>,
    done: bool,
}

impl Fold {
    /// The rest of a run that Dify has named.
    pub(crate) fn join(known: &Known, cap: usize) -> Self {
        let plain = |id: &Option<String>| id.clone().filter(|id| is_id(id));
        Self {
            ids: Ids {
                task: plain(&Some(known.task.clone())),
                run: plain(&known.run),
            },
            conversation: plain(&known.conversation),
            flow: true,
            joined: Some(Joined { moderated: None }),
            ..Self::new(known.mode.clone(), known.asked.clone(), cap)
        }
    }

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
            replaceable: cap,
            draft: false,
            thought: (None, String::new()),
            last_thought: String::new(),
            rounds: Rounds::default(),
            files: Vec::new(),
            forms: Vec::new(),
            joined: None,
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

    /// By what the run can be found again; none before all of that is known.
    pub(crate) fn known(&self, user: &str) -> Option<Known> {
        if self.mode.is_flow() && self.ids.run.is_none() {
            return None;
        }
        Some(Known {
            mode: self.mode.clone(),
            user: user.to_owned(),
            task: self.ids.task.clone()?,
            run: self.ids.run.clone(),
            conversation: self.conversation.clone(),
            asked: self.asked.clone(),
        })
    }

    /// Does the end hang on whether the app is moderated, and is that still unknown?
    pub(crate) fn needs_moderation(&self) -> bool {
        let unknown = |joined: &Joined| joined.moderated.is_none();
        self.mode != Mode::Workflow && self.joined.as_ref().is_some_and(unknown)
    }

    pub(crate) fn moderated(&mut self, moderated: bool) {
        if let Some(joined) = &mut self.joined {
            joined.moderated = Some(moderated);
        }
    }

    /// Has the last event been given?
    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    /// Takes the data of one event; what it means goes to `out`. An error is the end of the run.
    pub(crate) fn apply(&mut self, data: &[u8], out: &mut VecDeque<Event>) -> Result<(), Error> {
        // What is passed over is not even looked at for being text.
        if is_step(data)
            && let Some(event) = StepEvent::read(data)
        {
            self.learn(&event.names(), out);
            self.step(event.name(), &event.data, out);
            return Ok(());
        }
        let data = lossy(data);
        let event: AnyEvent<'_> = match serde_json::from_str(&data) {
            Ok(event) => event,
            Err(error) => {
                tracing::debug!(%error, "an event of Dify that is no JSON object was passed over");
                return Ok(());
            }
        };
        self.learn(&event.names(), out);
        match &*event.event {
            "message" if self.closes(event.answer.as_deref()) => {
                self.draft = false;
                let whole = event.answer.unwrap_or_default();
                if *whole != *self.text.as_str() && !self.text.is_pinned() {
                    self.put(&whole, out);
                }
            }
            "agent_message" => {
                self.draft = matches!(self.mode, Mode::Agent | Mode::Other(_));
                self.say(event.answer.as_deref(), out);
            }
            "message" => self.say(event.answer.as_deref(), out),
            // Once a message owns a file, Dify may label its text deltas like this.
            "message_file" if event.answer.is_some() => self.say(event.answer.as_deref(), out),
            "message_file" => self.announce(&event, &data, out),
            "text_chunk" => self.say(event.data::<TextData>().text.as_deref(), out),
            "message_replace" => self.overrule(event.answer.as_deref(), out),
            "text_replace" => self.overrule(event.data::<TextData>().text.as_deref(), out),
            "agent_thought" => self.think(event.id.as_deref(), event.thought.as_deref(), out),
            // Where the name does not come first.
            "node_started"
            | "node_finished"
            | "node_retry"
            | "iteration_started"
            | "iteration_next"
            | "iteration_completed"
            | "loop_started"
            | "loop_next"
            | "loop_completed" => {
                let step = event.data.map(|raw| Step::read(raw.get().as_bytes()));
                self.step(event.event.as_bytes(), &step.unwrap_or_default(), out);
            }
            "message_end" => {
                self.end = Some((
                    event.metadata.unwrap_or_default(),
                    event.files.unwrap_or_default(),
                ));
                if !self.flow {
                    self.finish(Status::Succeeded, RunState::default(), out);
                }
            }
            "workflow_started" => self.flow = true,
            "human_input_required" => self.forms.push(HumanForm::read(event.data())),
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
                    event.code.map(Cow::into_owned),
                    event.message.unwrap_or_default().into_owned(),
                    &self.ids,
                ));
            }
            // Pings may carry data one day; speech is for Dify's own player and large.
            "ping" | "tts_message" | "tts_message_end" => {}
            // A run may be far ahead of whoever reads its events, so that many of them wait.
            name if data.len() > LARGEST_NEWS => {
                tracing::debug!(
                    name,
                    bytes = data.len(),
                    "a long event that this client has no word for was passed over"
                );
            }
            name => out.push_back(Event::other(name, event.data, &data)),
        }
        Ok(())
    }

    /// An event that tells of a step.
    fn step(&mut self, name: &[u8], step: &Step<'_>, out: &mut VecDeque<Event>) {
        let event = match name {
            b"node_started" => Event::NodeStarted(step.started()),
            b"node_finished" => Event::NodeFinished(step.finished()),
            b"node_retry" => Event::retry(step),
            b"iteration_started" | b"iteration_next" => {
                self.round(RoundKind::Iteration, step, false)
            }
            b"iteration_completed" => self.round(RoundKind::Iteration, step, true),
            b"loop_started" | b"loop_next" => self.round(RoundKind::Loop, step, false),
            b"loop_completed" => self.round(RoundKind::Loop, step, true),
            // A step of a later Dify: what it tells is not known.
            _ => return,
        };
        out.push_back(event);
    }

    /// How the run ended, as an event or `GET /workflows/run/{id}` tells it. An error is how it failed.
    pub(crate) fn settle(
        &mut self,
        mut state: RunState,
        out: &mut VecDeque<Event>,
    ) -> Result<(), Error> {
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
        if let Some(joined) = &self.joined {
            let whole = joined.whole(&self.mode, &status, &state);
            self.make_whole(whole, out)?;
            state.files = state
                .files
                .take()
                .or_else(|| joined::files(&self.mode, &state));
        }
        self.finish(status, state, out);
        Ok(())
    }

    /// Puts the whole text in the place of the part that was read, unless moderation has had the last word on it.
    fn make_whole(
        &mut self,
        whole: Result<String, &'static str>,
        out: &mut VecDeque<Event>,
    ) -> Result<(), Error> {
        if self.text.is_pinned() {
            return Ok(());
        }
        let whole = whole.map_err(|cause| {
            self.done = true;
            Error::Incomplete {
                cause: cause.to_owned(),
                ids: self.ids.clone(),
            }
        })?;
        if whole != self.text.as_str() {
            self.put(&whole, out);
        }
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

    fn learn(&mut self, names: &Names<'_>, out: &mut VecDeque<Event>) {
        if self.ids.run.is_none()
            && let Some(run) = id(names.run)
        {
            self.flow = true;
            self.ids.run = Some(run);
        }
        if self.conversation.is_none() {
            self.conversation = id(names.conversation);
        }
        if self.ids.task.is_none()
            && let Some(task) = id(names.task)
        {
            self.ids.task = Some(task);
            out.push_back(Event::Started);
        }
    }

    fn say(&mut self, delta: Option<&str>, out: &mut VecDeque<Event>) {
        let kept = delta.and_then(|delta| self.text.push(delta));
        out.extend(kept.map(Event::Text));
    }

    fn overrule(&mut self, text: Option<&str>, out: &mut VecDeque<Event>) {
        self.put(text.unwrap_or_default(), out);
        self.text.pin();
    }

    /// Puts `text` in the place of all that was said, and tells it. Many events may wait for their reader, so all
    /// replacements together are told as far as one answer may reach; of one beyond that it is told that the text so far
    /// is void, and its words come with the answer.
    fn put(&mut self, text: &str, out: &mut VecDeque<Event>) {
        let mut told = self.text.replace(text);
        if told.len() > self.replaceable {
            told = String::new();
        }
        self.replaceable -= told.len();
        out.push_back(Event::Replace(told));
    }

    /// Does this `message` repeat as a whole what its deltas said? The new agent's does. What a mode of tomorrow does is
    /// told by its words.
    fn closes(&self, answer: Option<&str>) -> bool {
        let repeats = || answer.is_some_and(|answer| answer.starts_with(self.text.as_str()));
        self.draft && (self.mode == Mode::Agent || repeats())
    }

    fn think(&mut self, id: Option<&str>, thought: Option<&str>, out: &mut VecDeque<Event>) {
        let thought = prefix(thought.unwrap_or_default(), self.cap).to_owned();
        let now = (id.map(str::to_owned), thought);
        if now != self.thought && !now.1.is_empty() {
            self.last_thought.clone_from(&now.1);
            out.push_back(Event::Thought(prefix(&now.1, LONGEST_THOUGHT).to_owned()));
        }
        self.thought = now;
    }

    fn announce(&mut self, event: &AnyEvent<'_>, data: &str, out: &mut VecDeque<Event>) {
        let room = self.files.len() < MOST_FILES && data.len() <= LARGEST_NEWS;
        if !room || event.belongs_to.as_deref() != Some("assistant") {
            return;
        }
        if let Ok(file) = serde_json::from_str::<Value>(data) {
            self.files.push(file.clone());
            out.push_back(Event::File(file));
        }
    }

    fn round(&mut self, kind: RoundKind, step: &Step<'_>, finished: bool) -> Event {
        let id = step.id().filter(|id| is_id(id)).unwrap_or_default();
        Event::Round(self.rounds.take(kind, id.into_owned(), step, finished))
    }
}

fn id(name: Option<&[u8]>) -> Option<String> {
    let id = str::from_utf8(name?).ok()?;
    is_id(id).then(|| id.to_owned())
}

pub(crate) fn is_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !text.is_empty() && text.len() <= LONGEST_ID && text.bytes().all(plain)
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
