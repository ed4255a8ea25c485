//! The Rust SDK, with each of the ways in which it may begin.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, bail};
use rmcp::ClientHandler;
use rmcp::RoleClient;
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, ClientRequest, ProgressNotificationParam,
    ProtocolVersion, ServerResult,
};
use rmcp::service::{
    ClientLifecycleMode, ClientServiceExt, NotificationContext, PeerRequestOptions, RunningService,
};
use rmcp::transport::StreamableHttpClientTransport;
use serde_json::Value;

use super::Client;

pub(super) struct Rmcp {
    beginning: ClientLifecycleMode,
    progress: Progress,
    running: Option<RunningService<RoleClient, Progress>>,
}

/// The numbers that have come since somebody took them.
#[derive(Clone, Default)]
struct Progress(Arc<Mutex<Vec<f64>>>);

impl ClientHandler for Progress {
    async fn on_progress(
        &self,
        step: ProgressNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        let mut numbers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        numbers.push(step.progress);
    }
}

impl Rmcp {
    /// With `initialize`.
    pub(super) fn legacy() -> Self {
        Self::new(ClientLifecycleMode::Initialize)
    }

    /// It asks for the server's versions, and falls back to `initialize`.
    pub(super) fn auto() -> Self {
        Self::new(ClientLifecycleMode::Auto {
            preferred_versions: vec![ProtocolVersion::V_2026_07_28],
            legacy_version: None,
        })
    }

    /// It asks for the server's versions, and knows no way back.
    pub(super) fn modern() -> Self {
        Self::new(ClientLifecycleMode::Discover {
            preferred_versions: vec![ProtocolVersion::V_2026_07_28],
        })
    }

    fn new(beginning: ClientLifecycleMode) -> Self {
        Self {
            beginning,
            progress: Progress::default(),
            running: None,
        }
    }

    fn running(&self) -> anyhow::Result<&RunningService<RoleClient, Progress>> {
        self.running.as_ref().context("no connection")
    }

    async fn begin(
        &self,
        tool: &str,
        arguments: &Value,
    ) -> anyhow::Result<rmcp::service::RequestHandle<RoleClient>> {
        let arguments = arguments.as_object().cloned().context("an object")?;
        let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
        let options = PeerRequestOptions::no_options();
        let running = self.running()?;
        Ok(running.send_cancellable_request(request, options).await?)
    }
}

impl Client for Rmcp {
    async fn connect(&mut self, url: &str) -> anyhow::Result<()> {
        let transport = StreamableHttpClientTransport::from_uri(url);
        let handler = self.progress.clone();
        let service = handler.serve_with_lifecycle(transport, self.beginning.clone());
        self.running = Some(service.await?);
        Ok(())
    }

    async fn tools(&mut self) -> anyhow::Result<Vec<Value>> {
        let tools = self.running()?.list_all_tools().await?;
        let tools = tools.into_iter().map(serde_json::to_value);
        Ok(tools.collect::<Result<_, _>>()?)
    }

    async fn call(&mut self, tool: &str, arguments: &Value) -> anyhow::Result<(Value, Vec<f64>)> {
        let handle = self.begin(tool, arguments).await?;
        let ServerResult::CallToolResult(result) = handle.await_response().await? else {
            bail!("not the result of a call");
        };
        let mut numbers = self
            .progress
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Ok((serde_json::to_value(result)?, std::mem::take(&mut *numbers)))
    }

    async fn cancel(
        &mut self,
        tool: &str,
        arguments: &Value,
        begun: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<()> {
        let handle = self.begin(tool, arguments).await?;
        begun.await?;
        Ok(handle.cancel(None).await?)
    }

    async fn disconnect(&mut self) -> anyhow::Result<()> {
        let running = self.running.take().context("no connection")?;
        running.cancel().await?;
        Ok(())
    }
}
