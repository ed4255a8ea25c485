//! The Inspector's command line: every request is a process of its own.

use std::process::Stdio;
use std::time::Duration;

use airlock_tests::clients::{installed, node};
use anyhow::{Context, ensure};
use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

use super::Client;

/// The longest that a command may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Inspector {
    /// Its own word: `legacy` or `modern`.
    era: &'static str,
    url: String,
    /// It keeps what it knows of servers there.
    home: tempfile::TempDir,
}

impl Inspector {
    pub(super) fn new(era: &'static str) -> Self {
        Self {
            era,
            url: String::new(),
            home: tempfile::tempdir().expect("a directory"),
        }
    }

    fn command(&self, arguments: &[&str]) -> anyhow::Result<Command> {
        let inspector = "node/node_modules/@modelcontextprotocol/inspector/clients";
        let mut command = Command::new(node());
        command
            .arg(installed(inspector)?.join("launcher/build/index.js"))
            .args([
                "--cli",
                &self.url,
                "--transport",
                "http",
                "--format",
                "json",
            ])
            .args(["--protocol-era", self.era])
            .args(arguments)
            .env("HOME", self.home.path())
            .kill_on_drop(true)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        Ok(command)
    }

    /// Runs a command to its end. The result that it prints; what it complains of stands in the test's own output.
    async fn run(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let output = timeout(
            PATIENCE,
            self.command(arguments)?.spawn()?.wait_with_output(),
        )
        .await
        .context("the Inspector does not end")??;
        ensure!(output.status.success(), "the Inspector: {}", output.status);
        let mut printed: Value = serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stdout).into_owned())?;
        Ok(printed["result"].take())
    }
}

/// The arguments of a call.
fn call<'a>(tool: &'a str, arguments: &'a str) -> [&'a str; 6] {
    [
        "--method",
        "tools/call",
        "--tool-name",
        tool,
        "--tool-args-json",
        arguments,
    ]
}

impl Client for Inspector {
    async fn connect(&mut self, url: &str) -> anyhow::Result<()> {
        url.clone_into(&mut self.url);
        Ok(())
    }

    /// With `--strict` it fails where a schema would not suit other clients.
    async fn tools(&mut self) -> anyhow::Result<Vec<Value>> {
        let listed = self.run(&["--method", "tools/list", "--strict"]).await?;
        listed["tools"].as_array().cloned().context("no list")
    }

    async fn call(&mut self, tool: &str, arguments: &Value) -> anyhow::Result<(Value, Vec<f64>)> {
        let result = self.run(&call(tool, &arguments.to_string())).await?;
        Ok((result, Vec::new()))
    }

    async fn cancel(
        &mut self,
        tool: &str,
        arguments: &Value,
        begun: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<()> {
        let mut running = self.command(&call(tool, &arguments.to_string()))?.spawn()?;
        begun.await?;
        Ok(running.kill().await?)
    }

    async fn disconnect(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}
