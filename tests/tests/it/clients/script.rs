//! A client that a script drives.

use airlock_tests::clients::{Script, installed, node};
use airlock_tests::program;
use anyhow::Context;
use serde_json::{Value, json};

use super::Client;

/// The script, and how it reaches an address.
pub(super) struct Scripted {
    script: Script,
    /// What a `connect` order holds beside its verb.
    way: Box<dyn Fn(&str) -> Value>,
}

impl Scripted {
    /// The Python SDK, by its older interface (`session`) or its newer one (`legacy`, `auto` or a version of the newer
    /// era).
    pub(super) fn python(beginning: &str) -> Self {
        Self::through(Script::python(beginning), |url| json!({"url": url}))
    }

    /// The first TypeScript SDK (`first`) or the second (`legacy`, `auto` or a version of the newer era).
    pub(super) fn typescript(beginning: &str) -> Self {
        Self::through(Script::typescript(beginning), |url| json!({"url": url}))
    }

    /// `airlock stdio`, with a TypeScript SDK as the client that starts it.
    pub(super) fn airlock_stdio(beginning: &str) -> Self {
        let program = program::path();
        Self::through(
            Script::typescript(beginning),
            move |url| json!({"command": program, "args": ["stdio", url]}),
        )
    }

    /// `mcp-remote`, the bridge of clients that only start processes, with the first TypeScript SDK as such a client.
    pub(super) fn mcp_remote() -> Self {
        let bridge = installed("node/node_modules/.bin/mcp-remote").expect("it is installed");
        let node = node();
        // It keeps what it knows of servers there.
        let home = tempfile::tempdir().expect("a directory");
        Self::through(Script::typescript("first"), move |url| {
            let arguments = json!([bridge, url, "--allow-http"]);
            json!({"command": node, "args": arguments, "env": {"HOME": home.path()}})
        })
    }

    fn through(script: anyhow::Result<Script>, way: impl Fn(&str) -> Value + 'static) -> Self {
        Self {
            script: script.expect("the client is installed"),
            way: Box::new(way),
        }
    }

    async fn ask(&mut self, order: Value, what: &str) -> anyhow::Result<Value> {
        self.script.tell(&order).await?;
        self.script.hear(what).await
    }
}

impl Client for Scripted {
    async fn connect(&mut self, url: &str) -> anyhow::Result<()> {
        let mut order = (self.way)(url);
        order["do"] = "connect".into();
        self.ask(order, "connected").await.map(drop)
    }

    async fn tools(&mut self) -> anyhow::Result<Vec<Value>> {
        let answer = self.ask(json!({"do": "list"}), "tools").await?;
        answer["tools"].as_array().cloned().context("no list")
    }

    async fn call(&mut self, tool: &str, arguments: &Value) -> anyhow::Result<(Value, Vec<f64>)> {
        let order = json!({"do": "call", "tool": tool, "arguments": arguments, "cancel": false});
        let mut answer = self.ask(order, "result").await?;
        let steps = answer["progress"].as_array().context("no list")?;
        let progress = steps
            .iter()
            .map(|step| step["progress"].as_f64().context("no number"))
            .collect::<anyhow::Result<_>>()?;
        Ok((answer["result"].take(), progress))
    }

    async fn cancel(
        &mut self,
        tool: &str,
        arguments: &Value,
        begun: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<()> {
        let order = json!({"do": "call", "tool": tool, "arguments": arguments, "cancel": true});
        self.script.tell(&order).await?;
        begun.await?;
        self.ask(json!({"do": "cancel"}), "cancelled")
            .await
            .map(drop)
    }

    async fn disconnect(&mut self) -> anyhow::Result<()> {
        let order = json!({"do": "disconnect"});
        self.ask(order, "disconnected").await.map(drop)
    }
}
