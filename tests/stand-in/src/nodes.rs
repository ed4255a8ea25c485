//! The nodes of a workflow or chatflow run, and what goes wrong in them.

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::behaviour::Behaviour;
use crate::ids;
use crate::run::{Halt, Run};

/// What `node_finished` calls the failure of a working node.
const FAILURE: &str = "[Errno 111] Connection refused";

/// A node of an app's graph.
pub(crate) struct Node {
    id: &'static str,
    kind: &'static str,
    title: &'static str,
}

/// A node that has started.
pub(crate) struct OpenNode {
    execution: String,
    id: String,
    kind: &'static str,
    title: String,
    created_at: u64,
    began: Instant,
}

/// How a node ends.
struct NodeEnd {
    inputs: Value,
    outputs: Value,
    status: &'static str,
    error: Value,
    metadata: Value,
}

impl Node {
    pub(crate) const fn new(id: &'static str, kind: &'static str, title: &'static str) -> Self {
        Self { id, kind, title }
    }
}

impl Run {
    /// A node that takes no time and cannot fail.
    pub(crate) async fn node(&mut self, node: &Node, inputs: Value, outputs: Value) {
        let open = self.open(node.id, node.kind, node.title).await;
        self.close(open, NodeEnd::succeeded(inputs, outputs)).await;
    }

    /// A node that works for a step, and may fail.
    pub(crate) async fn working_node(
        &mut self,
        node: &Node,
        inputs: Value,
        outputs: Value,
    ) -> Result<(), Halt> {
        let open = self.begin_work(node).await?;
        self.work(self.step).await?;
        self.end_work(open, inputs, outputs).await;
        Ok(())
    }

    /// Starts a working node. The first one of a run is where [`Behaviour::Fail`] and [`Behaviour::Pause`] strike;
    /// [`Behaviour::Ask`] may come before more.
    pub(crate) async fn begin_work(&mut self, node: &Node) -> Result<OpenNode, Halt> {
        match self.behaviour {
            Behaviour::Pause => return Err(self.pause().await),
            Behaviour::Ask { times, open_for } if self.reviews.len() < times => {
                self.ask(open_for).await?;
            }
            _ => {}
        }
        let open = self.open(node.id, node.kind, node.title).await;
        if self.behaviour == Behaviour::Fail {
            self.work(self.step).await?;
            self.exceptions += 1;
            let end = NodeEnd {
                status: "failed",
                error: json!(FAILURE),
                ..NodeEnd::succeeded(json!({}), json!({}))
            };
            self.close(open, end).await;
            return Err(Halt::Failed(FAILURE.to_owned()));
        }
        Ok(open)
    }

    /// Ends a working node. The first one of a run takes its fail-branch under [`Behaviour::PartialSuccess`]; its
    /// error is then "Unknown error", and the real one stands in the outputs, as recorded.
    pub(crate) async fn end_work(&mut self, open: OpenNode, inputs: Value, outputs: Value) {
        let mut end = NodeEnd::succeeded(inputs, outputs);
        if self.behaviour == Behaviour::PartialSuccess && self.exceptions == 0 {
            self.exceptions += 1;
            end.status = "exception";
            end.error = json!("Unknown error");
            end.outputs = json!({"error_message": FAILURE, "error_type": "HttpRequestNodeError"});
            end.metadata = json!({"error_strategy": "fail-branch"});
        }
        self.close(open, end).await;
    }

    /// What [`Behaviour::Slow`] adds to a flow.
    pub(crate) async fn slow_nodes(&mut self) -> Result<(), Halt> {
        if let Behaviour::Slow { steps, each } = self.behaviour {
            for step in 1..=steps {
                let open = self
                    .open(
                        &format!("slow{step}"),
                        "http-request",
                        &format!("Step {step}"),
                    )
                    .await;
                self.work(each).await?;
                self.close(
                    open,
                    NodeEnd::succeeded(json!({}), json!({"status_code": 200})),
                )
                .await;
            }
        }
        Ok(())
    }

    /// A piece of an end node's text.
    pub(crate) async fn text_chunk(&mut self, text: &str, selector: &Value) {
        self.workflow(
            "text_chunk",
            json!({"text": text, "from_variable_selector": selector}),
        )
        .await;
    }

    /// Asks a person and waits for nobody: the form has no token, so only its e-mail recipients could answer.
    async fn pause(&mut self) -> Halt {
        self.open("review1", "human-input", "Review").await;
        let form = json!({
            "form_id": ids::uuid(), "node_id": "review1", "node_title": "Review",
            "form_content": "Go on?\n\n{{#$output.note#}}",
            "inputs": [{"output_variable_name": "note", "type": "paragraph",
                        "default": {"type": "constant", "selector": [], "value": "looks fine"}}],
            "actions": [{"id": "approve", "title": "Approve", "button_style": "primary"},
                        {"id": "reject", "title": "Reject", "button_style": "default"}],
            "display_in_ui": false, "form_token": null, "resolved_default_values": {},
            "expiration_time": ids::now() + 3_600,
        });
        self.workflow("human_input_required", form.clone()).await;
        let mut reason = json!({"TYPE": "human_input_required"});
        if let (Value::Object(reason), Value::Object(form)) = (&mut reason, form) {
            reason.extend(form.into_iter().filter(|(key, _)| key != "display_in_ui"));
        }
        Halt::Paused(reason)
    }

    /// A run's last words for now.
    pub(crate) async fn say_paused(&mut self, reason: Value) {
        let data = json!({
            "workflow_run_id": self.run_id, "paused_nodes": [reason["node_id"]], "outputs": {},
            "reasons": [reason], "status": "paused", "created_at": self.created_at,
            "elapsed_time": self.began.elapsed().as_secs_f64(), "total_tokens": 0, "total_steps": self.nodes,
        });
        self.workflow("workflow_paused", data).await;
    }

    /// Ends a node that went well.
    pub(crate) async fn close_plain(&mut self, node: OpenNode, outputs: Value) {
        self.close(node, NodeEnd::succeeded(json!({}), outputs))
            .await;
    }

    pub(crate) async fn open(&mut self, id: &str, kind: &'static str, title: &str) -> OpenNode {
        self.nodes += 1;
        let node = OpenNode {
            execution: ids::uuid(),
            id: id.to_owned(),
            kind,
            title: title.to_owned(),
            created_at: ids::now(),
            began: Instant::now(),
        };
        // The index is always 1 and the predecessor always null on a real Dify.
        let data = json!({
            "id": node.execution, "node_id": id, "node_type": kind, "title": title, "index": 1,
            "predecessor_node_id": null, "inputs": null, "inputs_truncated": false, "created_at": node.created_at,
            "extras": {}, "iteration_id": null, "loop_id": null, "agent_strategy": null,
        });
        self.workflow("node_started", data).await;
        node
    }

    async fn close(&mut self, node: OpenNode, end: NodeEnd) {
        let data = json!({
            "id": node.execution, "node_id": node.id, "node_type": node.kind, "title": node.title, "index": 1,
            "predecessor_node_id": null, "inputs": end.inputs, "inputs_truncated": false, "process_data": {},
            "process_data_truncated": false, "outputs": end.outputs, "outputs_truncated": false, "status": end.status,
            "error": end.error, "elapsed_time": node.began.elapsed().as_secs_f64(), "execution_metadata": end.metadata,
            "created_at": node.created_at, "finished_at": ids::now(), "files": [], "iteration_id": null,
            "loop_id": null,
        });
        self.workflow("node_finished", data).await;
    }
}

impl NodeEnd {
    fn succeeded(inputs: Value, outputs: Value) -> Self {
        Self {
            inputs,
            outputs,
            status: "succeeded",
            error: Value::Null,
            metadata: Value::Null,
        }
    }
}
