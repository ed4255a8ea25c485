//! A run from its first event to its end, streamed or in one piece.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use tokio::sync::{broadcast, mpsc};

use crate::answer::{Answer, Refusal};
use crate::apps::{self, Mode};
use crate::behaviour::{Behaviour, Canned};
use crate::ending::Ending;
use crate::ids;
use crate::python;
use crate::run::{Call, Halt, Run};
use crate::state::{Found, State};
use crate::stream;

/// Streams a run to its end. It is a task of its own, as a client that leaves does not end it.
pub(crate) async fn stream(state: Arc<State>, call: Call, out: mpsc::Sender<Bytes>) {
    let mode = call.sample.mode();
    match call.behaviour {
        Behaviour::SilentAfterPing => {
            ping(mode, &out).await;
            stream::silence(&out).await;
        }
        Behaviour::EarlyErrorNoEof => refuse(mode, "Internal Server Error", out).await,
        Behaviour::Normal
        | Behaviour::Slow { .. }
        | Behaviour::Fail
        | Behaviour::PartialSuccess
        | Behaviour::Pause
        | Behaviour::Ask { .. }
        | Behaviour::EofWithoutTerminal
        | Behaviour::RefuseKey
        | Behaviour::ApiDisabled
        | Behaviour::NotPublished
        | Behaviour::Busy
        | Behaviour::BadGateway
        | Behaviour::Canned(_) => {
            let eof_lag = state.options.eof_lag;
            let mut run = Run::new(state, call, Some(out));
            if mode.is_flow() {
                // Before anything is known of the run.
                run.send(stream::PING).await;
            }
            let result = play(&mut run).await;
            let ending = Ending::of(&run, &result);
            if run.behaviour != Behaviour::EofWithoutTerminal {
                ending.stream(&mut run, &result).await;
                if ending.lags(mode) {
                    run.linger(eof_lag).await;
                }
            }
        }
    }
}

/// Runs to the end, and answers in one piece.
pub(crate) async fn block(state: Arc<State>, call: Call) -> Result<Answer, Refusal> {
    if call.behaviour == Behaviour::SilentAfterPing {
        tokio::time::sleep(stream::SILENCE).await;
        return Err(Refusal::crash());
    }
    if call.behaviour == Behaviour::EarlyErrorNoEof {
        return Err(Refusal::crash());
    }
    let mut run = Run::new(state, call, None);
    let result = play(&mut run).await;
    Ending::of(&run, &result).block(&run, &result)
}

/// What a flow's stream does with inputs that Dify refuses: the worker finds out, after the head and the ping are
/// gone. One bare `error` without code and task id, and then silence.
pub(crate) async fn refuse(mode: Mode, message: &str, out: mpsc::Sender<Bytes>) {
    ping(mode, &out).await;
    let error = json!({"event": "error", "message": message, "status": 500});
    if out.send(stream::event(&error)).await.is_ok() {
        stream::silence(&out).await;
    }
}

/// Streams a run to one who follows it: what comes from now on, or how it ended. One that waits for a person says nothing.
pub(crate) async fn follow(state: Arc<State>, run: Found, out: mpsc::Sender<Bytes>) {
    // A client that has left is noticed by whoever sends or waits next.
    let _ = out.send(stream::PING).await;
    match run {
        Found::Running(mut live) => loop {
            match live.recv().await {
                Ok(chunk) => {
                    if out.send(chunk).await.is_err() {
                        return;
                    }
                }
                // Dify's events reach a reader at most once.
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            }
        },
        Found::Resting(detail) if detail["status"] == "paused" => {
            let mut ping = tokio::time::interval(state.options.ping_every);
            ping.tick().await;
            while out.send(stream::PING).await.is_ok() {
                tokio::select! {
                    () = out.closed() => return,
                    _ = ping.tick() => {}
                }
            }
        }
        Found::Resting(detail) => {
            let event = json!({
                "event": "workflow_finished", "workflow_run_id": detail["id"], "task_id": detail["id"], "data": detail,
            });
            let _ = out.send(stream::event(&event)).await;
            let _ = tokio::time::timeout(state.options.eof_lag, out.closed()).await;
        }
    }
}

/// Streams what a test has prepared.
pub(crate) async fn canned(canned: Canned, out: mpsc::Sender<Bytes>) {
    for chunk in canned.chunks {
        if out.send(chunk).await.is_err() {
            return;
        }
    }
    if !canned.ends {
        stream::silence(&out).await;
    }
}

async fn ping(mode: Mode, out: &mpsc::Sender<Bytes>) {
    if mode.is_flow() {
        // A client that has left is noticed by whoever sends or waits next.
        let _ = out.send(stream::PING).await;
    }
}

/// An app's work, which ends when it may.
async fn work(run: &mut Run) -> Result<Value, Halt> {
    let outputs = apps::play(run).await?;
    run.let_go().await?;
    Ok(outputs)
}

/// Everything between the leading ping and the terminal events. Flow runs can be looked up from here on.
async fn play(run: &mut Run) -> Result<Value, Halt> {
    if run.sample.mode().is_flow() {
        let detail_now = detail(run, "running", &json!({}), &Value::Null);
        let live = run
            .state
            .open_run(&run.run_id, run.sample, &run.user, detail_now);
        run.live = Some(live);
        say_started(run, "initial").await;
        let mut result = work(run).await;
        if let (Ok(outputs), Mode::Workflow, false) =
            (&mut result, run.sample.mode(), run.reviews.is_empty())
        {
            outputs["reviews"] = json!(run.reviews);
        }
        // The task and the run are settled before the terminal event is out, so that whoever reacts to it finds
        // them so.
        run.state.end(&run.task_id);
        let ending = Ending::of(run, &result);
        let detail = detail(run, ending.status, &ending.outputs, &ending.error);
        run.state.close_run(&run.run_id, detail);
        result
    } else {
        let result = work(run).await;
        run.state.end(&run.task_id);
        result
    }
}

/// The first event of a flow's run, or of its rest after a pause.
pub(crate) async fn say_started(run: &mut Run, reason: &str) {
    let started = json!({
        "id": run.run_id, "workflow_id": run.state.app(run.sample).workflow_id, "inputs": system_inputs(run),
        "created_at": run.created_at, "reason": reason,
    });
    run.workflow("workflow_started", started).await;
}

/// The inputs of a flow's run with Dify's own among them.
fn system_inputs(run: &Run) -> Map<String, Value> {
    let app = run.state.app(run.sample);
    let mut inputs = run.inputs.clone();
    let mut put = |name: &str, value: Value| inputs.insert(format!("sys.{name}"), value);
    if run.sample.mode() == Mode::AdvancedChat {
        put("query", json!(run.query));
    }
    put("files", json!([]));
    put("user_id", json!(run.user));
    if run.sample.mode() == Mode::AdvancedChat {
        put("dialogue_count", json!(run.turn));
    }
    put("app_id", json!(app.id));
    put("workflow_id", json!(app.workflow_id));
    put("workflow_run_id", json!(run.run_id));
    inputs
}

/// `GET /workflows/run/{id}`, whose `inputs` is a string that holds JSON while its `outputs` is an object.
pub(crate) fn detail(run: &Run, status: &str, outputs: &Value, error: &Value) -> Value {
    let finished_at = match status {
        "running" | "paused" => Value::Null,
        _ => json!(ids::now()),
    };
    json!({
        "id": run.run_id, "workflow_id": run.state.app(run.sample).workflow_id, "status": status,
        "inputs": python::dumps(&json!(system_inputs(run))), "outputs": outputs, "error": error, "total_steps": run.nodes,
        "total_tokens": 0, "created_at": run.created_at, "finished_at": finished_at,
        "elapsed_time": run.began.elapsed().as_secs_f64(),
    })
}
