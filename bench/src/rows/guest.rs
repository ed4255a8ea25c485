//! The default guest by itself: what a call costs, and what its fresh instance adds.

use std::future::ready;
use std::sync::Arc;
use std::time::{Duration, Instant};

use airlock::facts::Facts;
use airlock_dify::{Config, Dify, parse_base};
use airlock_sandbox::measure::Instance;
use airlock_sandbox::{
    Backend, Bound, BoxFuture, Component, Engine, EngineConfig, Limits, Run, wit,
};
use anyhow::{anyhow, bail, ensure};

use super::World;
use super::call::{Called, arguments};
use crate::load::{self, Samples};
use crate::report::{Goal, Report, Table, spread};
use crate::stats::Series;

const ROUNDS: usize = 8;
/// Repetitions in one round.
const TIMES: u32 = 4_000;
/// What a fresh instance may add to a call, as a multiple of making and dropping one.
const FRESHNESS: Goal = Goal::AtMost(&[2.0]);
/// The same in per cent of the CPU time that a server spends on a `tools/call`.
const SHARE: Goal = Goal::AtMost(&[10.0]);
/// Such calls in each round.
const CONNECTIONS: usize = 8;
const TIME: Duration = Duration::from_millis(500);

pub(crate) async fn measure(world: &World, report: &mut Report) -> anyhow::Result<()> {
    let guest = Guest::load(world).await?;
    let called = Called::of(world).await?;
    let mut served = Samples::default();
    let mut warm = Series::default();
    let mut made = Series::default();
    let mut fresh = Series::default();
    let mut published = Series::default();
    for _ in 0..ROUNDS {
        let mut instance = guest.instance().await?;
        let began = Instant::now();
        for _ in 0..TIMES {
            guest.call(&mut instance).await?;
        }
        warm.push(each(began));
        drop(instance);

        let began = Instant::now();
        for _ in 0..TIMES {
            guest.instance().await?;
        }
        made.push(each(began));

        let began = Instant::now();
        for _ in 0..TIMES {
            guest.call(&mut guest.instance().await?).await?;
        }
        fresh.push(each(began));

        let began = Instant::now();
        for _ in 0..TIMES {
            guest.published_call().await?;
        }
        published.push(each(began));

        load::round(
            &world.airlock,
            &called.target,
            CONNECTIONS,
            TIME,
            &mut served,
        )
        .await?;
    }

    let hop = published.with(&fresh, |there, here| there - here);
    let added = fresh.with(&warm, |fresh, warm| fresh - warm);
    let share = added.with(&served.cpu, |added, cpu| 100.0 * added / cpu);
    let row = |what: &str, cell| vec![what.to_owned(), cell];
    report.table(&Table {
        title: "The default guest",
        about: format!(
            "A call of the completion app without HTTP and without Dify: its run is answered at once, in process. One \
             call at a time, {ROUNDS} rounds of {TIMES}. Instances come {}. The server's CPU time is that of the table \
             tools/call at {CONNECTIONS} connections, measured again between these rounds.",
            if guest.engine.pooling() { "from the pool" } else { "from no pool: there is no room for one" },
        ),
        columns: vec!["", "µs"],
        rows: vec![
            row("warm call, in an instance that is used again", spread(&warm, 1)),
            row("instantiate and drop", spread(&made, 1)),
            row("fresh call: instantiate, call, drop", spread(&fresh, 1)),
            row("fresh call as it is served, bounds of time and place included", spread(&published, 1)),
            row("what those bounds cost", spread(&hop, 1)),
            row("freshness: fresh call − warm call", spread(&added, 1)),
            row("freshness ÷ instantiate and drop", FRESHNESS.judge(&added.ratio_to(&made))),
            row("a tools/call: the server's CPU time", spread(&served.cpu, 1)),
            row("freshness in % of that", SHARE.judge(&share)),
        ],
    });
    Ok(())
}

/// Microseconds for one of the repetitions.
fn each(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1e6 / f64::from(TIMES)
}

/// The built-in guest, and one call of the world's app.
struct Guest {
    engine: Engine,
    component: Component,
    app: Arc<wit::App>,
    request: wit::CallRequest,
    backend: Arc<dyn Backend>,
    limits: Limits,
}

impl Guest {
    async fn load(world: &World) -> anyhow::Result<Self> {
        let upstream = world.dify.upstream()?;
        let dify = Dify::new(Config::new(parse_base(&upstream.url)?))?;
        let facts = Facts::from(dify.app(upstream.key.parse()?).facts().await?);
        let engine = Engine::start(&EngineConfig::default())?;
        Ok(Self {
            component: Component::load(&engine, airlock::guests::built_in())?,
            engine,
            app: Arc::new(facts.app(&Default::default())),
            request: wit::CallRequest {
                tool: "product_blurb".into(),
                arguments: arguments().to_string(),
                answers: None,
                extra: "{}".into(),
            },
            backend: Arc::new(AtOnce),
            limits: Limits {
                // The warm instance makes all calls of a round under the bounds of one.
                cpu: Duration::from_secs(600),
                runs: usize::MAX,
                ..Limits::default()
            },
        })
    }

    async fn instance(&self) -> anyhow::Result<Instance> {
        Ok(Instance::new(&self.component, Arc::clone(&self.backend), &self.limits).await?)
    }

    async fn call(&self, instance: &mut Instance) -> anyhow::Result<()> {
        answered(instance.call(&self.app, &self.request).await?)
    }

    async fn published_call(&self) -> anyhow::Result<()> {
        let (app, backend) = (Arc::clone(&self.app), Arc::clone(&self.backend));
        let call = self
            .component
            .call(app, self.request.clone(), backend, &self.limits);
        answered(call.await?)
    }
}

fn answered(outcome: Result<wit::Outcome, wit::Error>) -> anyhow::Result<()> {
    match outcome.map_err(|error| anyhow!("{error:?}"))? {
        wit::Outcome::Complete(result) => {
            ensure!(!result.is_error, "{result:?}");
            Ok(())
        }
        other => bail!("{other:?}"),
    }
}

/// A Dify that has answered before it is asked.
struct AtOnce;

impl Backend for AtOnce {
    fn run(&self, _request: wit::Request) -> BoxFuture<'_, Result<wit::Answer, wit::Error>> {
        Box::pin(ready(Ok(answer())))
    }

    fn start(&self, _request: wit::Request) -> BoxFuture<'_, Result<Box<dyn Run>, wit::Error>> {
        Box::pin(ready(Ok(Box::new(AtOnce) as Box<dyn Run>)))
    }

    fn resume(&self, _reply: wit::Reply) -> BoxFuture<'_, Result<Box<dyn Run>, wit::Error>> {
        Box::pin(ready(Ok(Box::new(AtOnce) as Box<dyn Run>)))
    }

    fn who(&self) -> wit::Caller {
        wit::Caller {
            name: String::new(),
            version: String::new(),
            principal: String::new(),
            extra: "{}".into(),
        }
    }

    fn progress(&self, _done: f64, _total: Option<f64>, _message: Option<String>) {}

    fn log(&self, _level: wit::Level, _data: &str) {}

    fn tell(&self, _level: wit::Level, _data: String) {}

    fn cut(&self, _bound: Bound) {}

    fn changed(&self, _what: wit::Change) {}

    fn cancelled(&self) -> bool {
        false
    }

    fn remaining(&self) -> Duration {
        Duration::MAX
    }
}

impl Run for AtOnce {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<wit::Event>, wit::Error>> {
        Box::pin(ready(Ok(None)))
    }

    fn finish(&mut self) -> BoxFuture<'_, Result<wit::Answer, wit::Error>> {
        Box::pin(ready(Ok(answer())))
    }

    fn stop(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(ready(()))
    }
}

fn answer() -> wit::Answer {
    wit::Answer {
        status: "succeeded".into(),
        text: "A blurb for a kettle that whistles in tune (language: English).".into(),
        outputs: "{}".into(),
        files: Vec::new(),
        usage: Some(r#"{"total_tokens":16,"total_price":"0.0000320","currency":"USD"}"#.into()),
        conversation: None,
        extra: "{}".into(),
    }
}
