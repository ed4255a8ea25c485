//! What a call's store holds, and the imports: one `impl` for each interface of the contract.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::{Resource, ResourceTable};

use crate::backend::{Backend, RunHandle};
use crate::bindings::airlock::guest::{client, dify, types};
use crate::error::Bound;
use crate::limits::{Limiter, Limits, Pace, Words};
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
    /// Bytes of the engine's stack, for the words about one that is full.
    pub(crate) stack: usize,
    runs: ResourceTable,
    runs_left: usize,
    run_limit: usize,
    from_host: usize,
    log: Words,
    /// What the guest may say to its client; the same bounds as for the log.
    tell: Words,
    progress: Pace,
    /// For a component that imports WASI.
    pub(crate) wasi: World,
}

impl State {
    pub(crate) fn new(access: Access, limits: &Limits, stack: usize) -> Self {
        let mut runs = ResourceTable::new();
        runs.set_max_capacity(limits.handles);
        Self {
            wasi: World::new(matches!(access, Access::Describe), limits.handles),
            access,
            limiter: Limiter::new(limits),
            stack,
            runs,
            runs_left: limits.runs,
            run_limit: limits.runs,
            from_host: limits.from_host,
            log: Words::new(limits),
            tell: Words::new(limits),
            progress: Pace::new(limits.progress),
        }
    }

    pub(crate) fn in_describe(&self) -> bool {
        matches!(self.access, Access::Describe)
    }

    /// Takes so much from what the guest may still log. When they are more than that, the log is over, and the backend is
    /// told so.
    pub(crate) fn may_log(&mut self, bytes: usize, lines: usize) -> bool {
        let taken = self.log.take(bytes, lines);
        if let (Err(Some(bound)), Access::Call(backend)) = (taken, &self.access) {
            backend.cut(bound);
        }
        taken.is_ok()
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

    /// The way to one more run of the app. The inner error is for the guest.
    fn one_run(
        &mut self,
        import: &'static str,
    ) -> wasmtime::Result<Result<Arc<dyn Backend>, Error>> {
        let backend = Arc::clone(self.backend(import)?);
        let Some(left) = self.runs_left.checked_sub(1) else {
            let limit = self.run_limit;
            backend.cut(Bound::Runs(limit));
            return Ok(Err(Error::Failed(format!(
                "one call may run its app {limit} times, and has"
            ))));
        };
        self.runs_left = left;
        Ok(Ok(backend))
    }

    /// What the host has for the guest, unless it is too much at once.
    fn given<T>(
        &self,
        what: Result<T, Error>,
        bytes: impl FnOnce(&T) -> usize,
    ) -> Result<T, Error> {
        let what = what?;
        if bytes(&what) <= self.from_host {
            return Ok(what);
        }
        let bound = Bound::FromHost(self.from_host);
        if let Access::Call(backend) = &self.access {
            backend.cut(bound);
        }
        Err(Error::Failed(format!(
            "what the app answered is more than {bound}"
        )))
    }
}

fn answer_bytes(answer: &Answer) -> usize {
    let texts = [&answer.status, &answer.text, &answer.outputs, &answer.extra];
    let options = [&answer.usage, &answer.conversation];
    let texts = texts.into_iter().chain(options.into_iter().flatten());
    texts.chain(&answer.files).map(String::len).sum()
}

fn event_bytes(event: &Option<Event>) -> usize {
    match event {
        None => 0,
        Some(Event::Done(answer)) => answer_bytes(answer),
        Some(
            Event::Text(text) | Event::Replace(text) | Event::Thought(text) | Event::File(text),
        ) => text.len(),
        Some(Event::NodeStarted(node) | Event::NodeFinished(node)) => {
            node.id.len() + node.kind.len() + node.title.len() + node.extra.len()
        }
        Some(Event::Other((name, json))) => name.len() + json.len(),
    }
}

impl types::Host for State {}

impl dify::Host for State {
    async fn run_app(&mut self, request: Request) -> wasmtime::Result<Result<Answer, Error>> {
        let answer = match self.one_run("dify.run-app")? {
            Ok(backend) => backend.run(request).await,
            Err(error) => Err(error),
        };
        Ok(self.given(answer, answer_bytes))
    }

    async fn start(
        &mut self,
        request: Request,
    ) -> wasmtime::Result<Result<Resource<RunHandle>, Error>> {
        let run = match self.one_run("dify.start")? {
            Ok(backend) => backend.start(request).await,
            Err(error) => Err(error),
        };
        Ok(match run {
            Ok(run) => Ok(self.runs.push(RunHandle(run))?),
            Err(error) => Err(error),
        })
    }

    async fn resume(
        &mut self,
        reply: Reply,
    ) -> wasmtime::Result<Result<Resource<RunHandle>, Error>> {
        let run = match self.one_run("dify.resume")? {
            Ok(backend) => backend.resume(reply).await,
            Err(error) => Err(error),
        };
        Ok(match run {
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
        let event = self.runs.get_mut(&run)?.0.next().await;
        Ok(self.given(event, event_bytes))
    }

    async fn finish(
        &mut self,
        run: Resource<RunHandle>,
    ) -> wasmtime::Result<Result<Answer, Error>> {
        let answer = self.runs.get_mut(&run)?.0.finish().await;
        Ok(self.given(answer, answer_bytes))
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
        let taken = self.progress.take();
        let backend = self.backend("client.progress")?;
        match taken {
            Ok(()) => backend.progress(done, total, message),
            Err(Some(bound)) => backend.cut(bound),
            Err(None) => {}
        }
        Ok(())
    }

    async fn log(&mut self, level: Level, data: String) -> wasmtime::Result<()> {
        self.backend("client.log")?;
        if self.may_log(data.len(), 1) {
            self.log_line(level, &data);
        }
        Ok(())
    }

    async fn tell(&mut self, level: Level, data: String) -> wasmtime::Result<()> {
        let taken = self.tell.take(data.len(), 1);
        let backend = self.backend("client.tell")?;
        match taken {
            Ok(()) => backend.tell(level, data),
            Err(Some(bound)) => backend.cut(bound),
            Err(None) => {}
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
