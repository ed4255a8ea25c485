//! How a run ends: its terminal events, or its answer in one piece.

use serde_json::{Value, json};

use crate::answer::{self, Answer, Refusal};
use crate::apps::Mode;
use crate::ids;
use crate::run::{Halt, Run};

/// A run's end, as Dify's fields put it.
pub(crate) struct Ending {
    pub(crate) status: &'static str,
    pub(crate) outputs: Value,
    pub(crate) error: Value,
}

impl Ending {
    pub(crate) fn of(run: &Run, result: &Result<Value, Halt>) -> Self {
        let end = |status, outputs, error| Self {
            status,
            outputs,
            error,
        };
        match result {
            Ok(outputs) if run.exceptions > 0 => {
                end("partial-succeeded", outputs.clone(), Value::Null)
            }
            Ok(outputs) => end("succeeded", outputs.clone(), Value::Null),
            // 1.14.2 says failed where 1.16 says stopped; a chatflow keeps what it had said.
            Err(Halt::Stopped) => {
                let outputs = match run.sample.mode() {
                    Mode::AdvancedChat => json!({"answer": run.answer, "files": []}),
                    Mode::Chat | Mode::AgentChat | Mode::Completion | Mode::Workflow => json!({}),
                };
                end("failed", outputs, json!("Aborted: User requested stop"))
            }
            Err(Halt::Failed(message)) => end("failed", json!({}), json!(message)),
            Err(Halt::Paused(_)) => end("paused", json!({}), Value::Null),
        }
    }

    /// Whether the end of the stream comes late: in flow modes, but for a chatflow that did not end well.
    pub(crate) fn lags(&self, mode: Mode) -> bool {
        match mode {
            Mode::Chat | Mode::AgentChat | Mode::Completion => false,
            Mode::AdvancedChat => self.status != "failed",
            Mode::Workflow => true,
        }
    }

    /// The terminal events.
    pub(crate) async fn stream(&self, run: &mut Run, result: &Result<Value, Halt>) {
        match (run.sample.mode(), result) {
            (Mode::Workflow | Mode::AdvancedChat, Err(Halt::Paused(reason))) => {
                run.say_paused(reason.clone()).await;
            }
            (Mode::Workflow, _) | (Mode::AdvancedChat, Err(_)) => self.workflow_finished(run).await,
            (Mode::AdvancedChat, Ok(_)) => {
                message_end(run, &json!([])).await;
                self.workflow_finished(run).await;
            }
            (Mode::Chat | Mode::AgentChat | Mode::Completion, Err(Halt::Failed(message))) => {
                run.error(
                    json!({"code": "completion_request_error", "status": 400, "message": message}),
                )
                .await;
            }
            // A stopped chat ends like one that had no more to say; so do these modes where a flow would pause.
            (
                Mode::Chat | Mode::AgentChat | Mode::Completion,
                Ok(_) | Err(Halt::Stopped | Halt::Paused(_)),
            ) => {
                message_end(run, &Value::Null).await;
            }
        }
    }

    /// The answer of a blocking call.
    pub(crate) fn block(&self, run: &Run, result: &Result<Value, Halt>) -> Result<Answer, Refusal> {
        let elapsed = run.began.elapsed().as_secs_f64();
        let mode = run.sample.mode();
        let mut data = json!({
            "id": run.run_id, "workflow_id": run.state.app(run.sample).workflow_id, "status": self.status,
            "outputs": self.outputs, "error": self.error, "elapsed_time": elapsed, "total_tokens": 0,
            "total_steps": run.nodes, "created_at": run.created_at, "finished_at": ids::now(),
        });
        if let Err(Halt::Paused(reason)) = result {
            data["finished_at"] = Value::Null;
            data["paused_nodes"] = json!([reason["node_id"]]);
            data["reasons"] = json!([reason]);
        }
        let whole = match (mode, result) {
            (Mode::Workflow, _) => {
                json!({"task_id": run.task_id, "workflow_run_id": run.run_id, "data": data})
            }
            (Mode::AdvancedChat, Err(Halt::Paused(_))) => {
                let mut whole = message(run, "workflow_paused");
                whole["workflow_run_id"] = json!(run.run_id);
                whole["data"] = data;
                whole
            }
            (Mode::AdvancedChat, Err(_)) => {
                let error = self.error.as_str().unwrap_or_default();
                return Err(Refusal::invalid(format!("Run failed: {error}")));
            }
            (Mode::Chat | Mode::AgentChat | Mode::Completion, Err(Halt::Failed(error))) => {
                let status = http::StatusCode::BAD_REQUEST;
                return Err(Refusal::new(status, "completion_request_error", error));
            }
            (Mode::AdvancedChat | Mode::Chat | Mode::AgentChat | Mode::Completion, _) => {
                message(run, "message")
            }
        };
        Ok(answer::blocking(&whole))
    }

    async fn workflow_finished(&self, run: &mut Run) {
        let data = json!({
            "id": run.run_id, "workflow_id": run.state.app(run.sample).workflow_id, "status": self.status,
            "outputs": self.outputs, "error": self.error, "elapsed_time": run.began.elapsed().as_secs_f64(),
            "total_tokens": 0, "total_steps": run.nodes, "created_by": {"id": ids::uuid(), "user": run.user},
            "created_at": run.created_at, "finished_at": ids::now(), "exceptions_count": run.exceptions,
            "files": run.files,
        });
        run.workflow("workflow_finished", data).await;
    }
}

async fn message_end(run: &mut Run, files: &Value) {
    let rest = json!({"id": run.message_id, "metadata": metadata(run), "files": files});
    run.message("message_end", rest).await;
}

/// The body of a blocking chat or completion.
fn message(run: &Run, event: &str) -> Value {
    let mut whole = json!({
        "event": event, "task_id": run.task_id, "id": run.message_id, "message_id": run.message_id,
        "conversation_id": run.conversation_id, "mode": run.sample.mode().name(), "answer": run.answer,
        "metadata": metadata(run), "created_at": run.created_at,
    });
    if let (false, Value::Object(whole)) = (run.sample.mode().has_conversations(), &mut whole) {
        whole.shift_remove("conversation_id");
    }
    whole
}

/// Words stand for tokens. Prices are strings, as in Dify.
fn metadata(run: &Run) -> Value {
    let prompt = u32::try_from(run.query.split_whitespace().count()).unwrap_or(u32::MAX);
    let price =
        |tokens: u32, unit: u32| format!("{:.7}", f64::from(tokens) * f64::from(unit) * 1e-6);
    json!({
        "annotation_reply": null, "retriever_resources": [],
        "usage": {
            "prompt_tokens": prompt, "prompt_unit_price": "1", "prompt_price_unit": "0.000001",
            "prompt_price": price(prompt, 1), "completion_tokens": run.pieces, "completion_unit_price": "2",
            "completion_price_unit": "0.000001", "completion_price": price(run.pieces, 2),
            "total_tokens": prompt.saturating_add(run.pieces),
            "total_price": format!("{:.7}", (f64::from(prompt) + 2.0 * f64::from(run.pieces)) * 1e-6),
            "currency": "USD", "latency": run.began.elapsed().as_secs_f64(), "time_to_first_token": null,
            "time_to_generate": null,
        },
    })
}
