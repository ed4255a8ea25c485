//! One run: what it was asked, its ids, its clock, and how it speaks.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use tokio::sync::{broadcast, mpsc};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::apps::{Mode, SampleApp};
use crate::behaviour::Behaviour;
use crate::ids;
use crate::state::State;
use crate::stream;

/// A sentence then takes about as long as a node.
const WORDS_PER_STEP: u32 = 8;

/// Why a run ends before its outputs.
pub(crate) enum Halt {
    /// A stop request came.
    Stopped,
    /// A node or the model failed, with this message.
    Failed(String),
    /// It waits for a person; the reason, as `workflow_paused` gives it.
    Paused(Value),
}

/// The event that a piece of text travels in.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Text {
    Message,
    AgentMessage,
}

/// What a request asks for, checked.
pub(crate) struct Call {
    pub(crate) sample: SampleApp,
    pub(crate) user: String,
    pub(crate) inputs: Map<String, Value>,
    pub(crate) query: String,
    /// Empty where the mode has no conversations.
    pub(crate) conversation_id: String,
    pub(crate) turn: u32,
    pub(crate) behaviour: Behaviour,
    /// What it waits for at its end.
    pub(crate) hold: CancellationToken,
}

/// A run.
pub(crate) struct Run {
    pub(crate) state: Arc<State>,
    pub(crate) sample: SampleApp,
    pub(crate) user: String,
    pub(crate) inputs: Map<String, Value>,
    pub(crate) query: String,
    pub(crate) conversation_id: String,
    pub(crate) turn: u32,
    pub(crate) behaviour: Behaviour,
    pub(crate) task_id: String,
    pub(crate) message_id: String,
    pub(crate) run_id: String,
    pub(crate) created_at: u64,
    pub(crate) began: Instant,
    pub(crate) step: Duration,
    /// The text so far.
    pub(crate) answer: String,
    /// Pieces of text so far, which stand for tokens.
    pub(crate) pieces: u32,
    /// Nodes so far.
    pub(crate) nodes: u32,
    /// Nodes that failed or took a fail-branch.
    pub(crate) exceptions: u32,
    /// Files that the app made, as `workflow_finished` lists them.
    pub(crate) files: Vec<Value>,
    /// What people have answered so far.
    pub(crate) reviews: Vec<Value>,
    /// Has it gone on after a pause? What a chatflow says then is in no event.
    pub(crate) resumed: bool,
    pub(crate) out: Option<mpsc::Sender<Bytes>>,
    /// For those who follow the run of a flow.
    pub(crate) live: Option<broadcast::Sender<Bytes>>,
    pub(crate) stop: CancellationToken,
    hold: CancellationToken,
    next_ping: Instant,
}

impl Run {
    /// A run that streams to `out`, or to nobody. It can be stopped from here on.
    pub(crate) fn new(state: Arc<State>, call: Call, out: Option<mpsc::Sender<Bytes>>) -> Self {
        let task_id = ids::uuid();
        let began = Instant::now();
        Self {
            stop: state.begin(&task_id, call.sample, &call.user),
            sample: call.sample,
            user: call.user,
            inputs: call.inputs,
            query: call.query,
            conversation_id: call.conversation_id,
            turn: call.turn,
            behaviour: call.behaviour,
            hold: call.hold,
            task_id,
            message_id: ids::uuid(),
            run_id: ids::uuid(),
            created_at: ids::now(),
            began,
            step: state.options.step,
            answer: String::new(),
            pieces: 0,
            nodes: 0,
            exceptions: 0,
            files: Vec::new(),
            reviews: Vec::new(),
            resumed: false,
            out,
            live: None,
            next_ping: began + state.options.ping_every,
            state,
        }
    }

    /// An input as text; `absent` where it has none.
    pub(crate) fn input(&self, name: &str, absent: &str) -> String {
        match self.inputs.get(name) {
            None | Some(Value::Null) => absent.to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }
    }

    /// Spends time on a node or a piece of text, with pings in flow modes, until it is over or a stop comes.
    pub(crate) async fn work(&mut self, time: Duration) -> Result<(), Halt> {
        if self.stop.is_cancelled() {
            return Err(Halt::Stopped);
        }
        if time.is_zero() {
            return Ok(());
        }
        self.wait(sleep_until(Instant::now() + time)).await
    }

    /// Waits until a test lets it end.
    pub(crate) async fn let_go(&mut self) -> Result<(), Halt> {
        let hold = self.hold.clone();
        if hold.is_cancelled() {
            return Ok(());
        }
        self.wait(hold.cancelled_owned()).await
    }

    /// Waits for something, with pings in flow modes, or for a stop.
    async fn wait(&mut self, what: impl Future<Output = ()>) -> Result<(), Halt> {
        let mut what = std::pin::pin!(what);
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return Err(Halt::Stopped),
                () = &mut what => return Ok(()),
                () = sleep_until(self.next_ping), if self.sample.mode().is_flow() => {
                    self.next_ping += self.state.options.ping_every;
                    self.send(stream::PING).await;
                }
            }
        }
    }

    /// Says a text in pieces of a word each, and an empty last one, as models do.
    pub(crate) async fn speak(
        &mut self,
        kind: Text,
        text: &str,
        selector: &Value,
    ) -> Result<(), Halt> {
        for word in text.split_inclusive(' ').chain([""]) {
            self.work(self.step / WORDS_PER_STEP).await?;
            self.delta(kind, word, selector).await;
            if self.behaviour == Behaviour::Fail && !self.sample.mode().is_flow() {
                return Err(Halt::Failed("[sample] the model said no".to_owned()));
            }
        }
        Ok(())
    }

    /// Says a text in one piece.
    pub(crate) async fn speak_whole(&mut self, kind: Text, text: &str) -> Result<(), Halt> {
        self.work(self.step / WORDS_PER_STEP).await?;
        self.delta(kind, text, &Value::Null).await;
        Ok(())
    }

    /// What [`Behaviour::Slow`] adds to the chat-like modes.
    pub(crate) async fn slow_text(&mut self, kind: Text) -> Result<(), Halt> {
        if let Behaviour::Slow { steps, each } = self.behaviour {
            for _ in 0..steps {
                self.work(each).await?;
                self.delta(kind, "", &Value::Null).await;
            }
        }
        Ok(())
    }

    /// One piece of text, now.
    pub(crate) async fn delta(&mut self, kind: Text, text: &str, selector: &Value) {
        self.answer += text;
        self.pieces += 1;
        if self.resumed {
            return;
        }
        let id = self.message_id.clone();
        match kind {
            Text::Message => {
                let rest = json!({"id": id, "answer": text, "from_variable_selector": selector});
                self.message("message", rest).await;
            }
            Text::AgentMessage => {
                self.message("agent_message", json!({"id": id, "answer": text}))
                    .await
            }
        }
    }

    /// One event of the message family.
    pub(crate) async fn message(&mut self, event: &str, rest: Value) {
        let mut head = self.head(event);
        head.insert("task_id".into(), json!(self.task_id));
        self.event(head, rest).await;
    }

    /// The `error` event of a chat-like mode, which carries no task id.
    pub(crate) async fn error(&mut self, rest: Value) {
        let head = self.head("error");
        self.event(head, rest).await;
    }

    /// One event of a flow's run.
    pub(crate) async fn workflow(&mut self, event: &str, data: Value) {
        let mut head = self.head(event);
        if self.sample.mode() == Mode::Workflow {
            head.insert("workflow_run_id".into(), json!(self.run_id));
            head.insert("task_id".into(), json!(self.task_id));
        } else {
            head.insert("task_id".into(), json!(self.task_id));
            head.insert("workflow_run_id".into(), json!(self.run_id));
        }
        self.event(head, json!({"data": data})).await;
    }

    /// What every event of the mode begins with, in the recorded order.
    fn head(&self, event: &str) -> Map<String, Value> {
        let mut head = Map::new();
        head.insert("event".into(), json!(event));
        if self.sample.mode().has_conversations() {
            head.insert("conversation_id".into(), json!(self.conversation_id));
        }
        if self.sample.mode() != Mode::Workflow {
            head.insert("message_id".into(), json!(self.message_id));
            head.insert("created_at".into(), json!(self.created_at));
        }
        head
    }

    async fn event(&mut self, mut head: Map<String, Value>, rest: Value) {
        if self.out.is_none() && self.live.is_none() {
            return;
        }
        if let Value::Object(rest) = rest {
            head.extend(rest);
        }
        self.send(stream::event(&Value::Object(head))).await;
    }

    /// Sends bytes while somebody listens. A run whose client has left goes on, as it does in Dify.
    pub(crate) async fn send(&mut self, chunk: Bytes) {
        if let Some(live) = &self.live {
            // Nobody need follow it.
            let _ = live.send(chunk.clone());
        }
        let Some(out) = &self.out else { return };
        let gone = if self.sample.mode().is_flow() {
            matches!(
                out.try_send(chunk),
                Err(mpsc::error::TrySendError::Closed(_))
            )
        } else {
            out.send(chunk).await.is_err()
        };
        if gone {
            self.out = None;
        }
    }

    /// Keeps the stream open for a while after its last event, unless the client has left.
    pub(crate) async fn linger(&self, lag: Duration) {
        if let Some(out) = &self.out
            && !lag.is_zero()
        {
            // Either way the stream ends now.
            let _ = tokio::time::timeout(lag, out.closed()).await;
        }
    }
}

impl Drop for Run {
    /// A blocking run ends with its connection; nothing could stop it later.
    fn drop(&mut self) {
        self.state.end(&self.task_id);
    }
}
