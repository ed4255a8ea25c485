//! A client that a script drives.

use airlock_tests::clients::Script;
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
    /// A script that connects by itself.
    pub(super) fn direct(script: anyhow::Result<Script>) -> Self {
        Self::through(script, |url| json!({"url": url}))
    }

    /// A script that reaches an address in its own way.
    pub(super) fn through(
        script: anyhow::Result<Script>,
        way: impl Fn(&str) -> Value + 'static,
    ) -> Self {
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
