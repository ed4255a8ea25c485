//! What a call's store holds, and the imports: one `impl` for each interface of the contract.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::{Resource, ResourceTable};

use crate::backend::{Backend, RunHandle};
use crate::bindings::airlock::guest::{client, dify, types};
use crate::limits::{Limiter, Limits};
use crate::wasi::World;
use crate::wit::{Answer, Caller, Change, Error, Event, Level, Reply, Request};

/// What a guest's imports lead to.
pub(crate) enum Access {
    /// Nowhere: `describe` is a pure function.
    Describe,
    Call(Arc<dyn Backend>),
}

/// `describe` called an import.
#[derive(Debug, thiserror::Error)]
#[error("{0} does not work in describe")]
pub(crate) struct ImportInDescribe(pub(crate) &'static str);

pub(crate) struct State {
    access: Access,
    pub(crate) limiter: Limiter,
    runs: ResourceTable,
    log_left: usize,
    /// What the guest may still say to its client; the same bound as for the log.
    tell_left: usize,
    /// For a component that imports WASI.
    pub(crate) wasi: World,
}

impl State {
    pub(crate) fn new(access: Access, limits: &Limits) -> Self {
        let mut runs = ResourceTable::new();
        runs.set_max_capacity(limits.handles);
        Self {
            wasi: World::new(matches!(access, Access::Describe), limits.handles),
            access,
            limiter: Limiter::new(limits),
            runs,
            log_left: limits.log_bytes,
            tell_left: limits.log_bytes,
        }
    }

    pub(crate) fn in_describe(&self) -> bool {
        matches!(self.access, Access::Describe)
    }

    /// Takes `bytes` from what the guest may still log. When they are more than that, the log is over, and says so.
    pub(crate) fn may_log(&mut self, bytes: usize) -> bool {
        if let Some(left) = self.log_left.checked_sub(bytes) {
            self.log_left = left;
            return true;
        }
        if self.log_left > 0 {
            self.log_left = 0;
            self.log_line(
                Level::Warning,
                "\"the guest's log is over its bound; the rest of this call is dropped\"",
            );
        }
        false
    }

    pub(crate) fn log_line(&self, level: Level, data: &str) {
        if let Access::Call(backend) = &self.access {
            backend.log(level, data);
        }
    }

    fn backend(&self, import: &'static str) -> wasmtime::Result<&Arc<dyn Backend>> {
        match &self.access {
            Access::Call(backend) => Ok(backend),
            Access::Describe => Err(ImportInDescribe(import).into()),
        }
    }
}

impl types::Host for State {}

impl dify::Host for State {
    async fn run_app(&mut self, request: Request) -> wasmtime::Result<Result<Answer, Error>> {
        let backend = Arc::clone(self.backend("dify.run-app")?);
        Ok(backend.run(request).await)
    }

    async fn start(
        &mut self,
        request: Request,
    ) -> wasmtime::Result<Result<Resource<RunHandle>, Error>> {
        let backend = Arc::clone(self.backend("dify.start")?);
        Ok(match backend.start(request).await {
            Ok(run) => Ok(self.runs.push(RunHandle(run))?),
            Err(error) => Err(error),
        })
    }

    async fn resume(
        &mut self,
        reply: Reply,
    ) -> wasmtime::Result<Result<Resource<RunHandle>, Error>> {
        let backend = Arc::clone(self.backend("dify.resume")?);
        Ok(match backend.resume(reply).await {
            Ok(run) => Ok(self.runs.push(RunHandle(run))?),
            Err(error) => Err(error),
        })
    }
}

impl dify::HostRun for State {
    async fn next(
        &mut self,
        run: Resource<RunHandle>,
    ) -> wasmtime::Result<Result<Option<Event>, Error>> {
        Ok(self.runs.get_mut(&run)?.0.next().await)
    }

    async fn finish(
        &mut self,
        run: Resource<RunHandle>,
    ) -> wasmtime::Result<Result<Answer, Error>> {
        Ok(self.runs.get_mut(&run)?.0.finish().await)
    }

    async fn stop(&mut self, run: Resource<RunHandle>) -> wasmtime::Result<()> {
        self.runs.get_mut(&run)?.0.stop().await;
        Ok(())
    }

    async fn drop(&mut self, run: Resource<RunHandle>) -> wasmtime::Result<()> {
        self.runs.delete(run)?;
        Ok(())
    }
}

impl client::Host for State {
    async fn who(&mut self) -> wasmtime::Result<Caller> {
        Ok(self.backend("client.who")?.who())
    }

    async fn progress(
        &mut self,
        done: f64,
        total: Option<f64>,
        message: Option<String>,
    ) -> wasmtime::Result<()> {
        self.backend("client.progress")?
            .progress(done, total, message);
        Ok(())
    }

    async fn log(&mut self, level: Level, data: String) -> wasmtime::Result<()> {
        self.backend("client.log")?;
        if self.may_log(data.len()) {
            self.log_line(level, &data);
        }
        Ok(())
    }

    async fn tell(&mut self, level: Level, data: String) -> wasmtime::Result<()> {
        let backend = Arc::clone(self.backend("client.tell")?);
        if let Some(left) = self.tell_left.checked_sub(data.len()) {
            self.tell_left = left;
            backend.tell(level, data);
        } else if self.tell_left > 0 {
            self.tell_left = 0;
            backend.log(
                Level::Warning,
                "\"what the guest tells its client is over its bound; the rest of this call is dropped\"",
            );
        }
        Ok(())
    }

    async fn changed(&mut self, what: Change) -> wasmtime::Result<()> {
        self.backend("client.changed")?.changed(what);
        Ok(())
    }

    async fn cancelled(&mut self) -> wasmtime::Result<bool> {
        Ok(self.backend("client.cancelled")?.cancelled())
    }

    async fn wait(&mut self, ms: u32) -> wasmtime::Result<()> {
        // The call's deadline ends a wait that is too long, as it ends everything else.
        self.backend("client.wait")?;
        tokio::time::sleep(Duration::from_millis(u64::from(ms))).await;
        Ok(())
    }

    async fn remaining_ms(&mut self) -> wasmtime::Result<u32> {
        Ok(
            u32::try_from(self.backend("client.remaining-ms")?.remaining().as_millis())
                .unwrap_or(u32::MAX),
        )
    }
}
