//! A client that begins no session and sends single requests, as curl and many small clients do.

use airlock_tests::{Post, Posted};
use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::Client;

/// Its address.
#[derive(Default)]
pub(super) struct Stateless(String);

impl Stateless {
    async fn begin(&self, tool: &str, arguments: &Value) -> anyhow::Result<Posted> {
        Post::to(&self.0).call(tool, arguments.clone()).send().await
    }
}

impl Client for Stateless {
    async fn connect(&mut self, url: &str) -> anyhow::Result<()> {
        url.clone_into(&mut self.0);
        Ok(())
    }

    async fn tools(&mut self) -> anyhow::Result<Vec<Value>> {
        let posted = Post::to(&self.0)
            .header("mcp-protocol-version", "2025-11-25")
            .rpc("tools/list", json!({}))
            .send()
            .await?;
        let response = posted.response().await?;
        let tools = response["result"]["tools"].as_array();
        tools.cloned().with_context(|| response.to_string())
    }

    async fn call(&mut self, tool: &str, arguments: &Value) -> anyhow::Result<(Value, Vec<f64>)> {
        let mut posted = self.begin(tool, arguments).await?;
        let mut progress = Vec::new();
        while let Some(mut message) = posted.next().await? {
            match message["params"]["progress"].as_f64() {
                Some(number) => progress.push(number),
                None => return Ok((message["result"].take(), progress)),
            }
        }
        bail!("the stream ended without a result")
    }

    async fn cancel(
        &mut self,
        tool: &str,
        arguments: &Value,
        begun: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<()> {
        let posted = self.begin(tool, arguments).await?;
        begun.await?;
        drop(posted);
        Ok(())
    }

    async fn disconnect(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}
