//! `tools/call` through the whole stack, beside a bare hyper proxy to the same stand-in.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{CONNECTIONS, Era, Setting, World, redirected};
use crate::contest::{Contender, Goals, Plan, contest};
use crate::load::Target;
use crate::report::{Report, Table};
use crate::servers::{Bounds, Canned, Role, Server};

const GOALS: Goals = Goals {
    throughput: &[0.60],
    cpu: &[],
    from: 8,
};

const PLAN: Plan = Plan {
    connections: CONNECTIONS,
    rounds: 12,
    time: Duration::from_millis(400),
};

/// With the defaults, what is seen beyond three connections is a queue: it needs no long look.
const DEFAULTS_PLAN: Plan = Plan {
    connections: CONNECTIONS,
    rounds: 6,
    time: Duration::from_millis(400),
};

/// Connections that Dify's container takes.
const DIFYS_CONNECTIONS: usize = 10;

/// The argument of every call.
pub(super) fn arguments() -> Value {
    json!({"query": "a kettle that whistles in tune"})
}

pub(super) fn params() -> Value {
    json!({"name": "product_blurb", "arguments": arguments()})
}

/// A call of the world's app, and proxies beside it that answer as it does.
pub(super) struct Called {
    pub(super) target: Arc<Target>,
    answer: Canned,
}

impl Called {
    pub(super) async fn of(world: &World) -> anyhow::Result<Self> {
        let (mut target, answer) = world
            .answered(Era::Session, "tools/call", &params())
            .await?;
        let body = &answer.body;
        let whole = body.find(r#","_meta""#);
        let whole = whole.with_context(|| format!("no answer with usage: {body}"))?;
        ensure!(body.contains("A blurb for a kettle"), "{body}");
        // The usage in `_meta` tells how long the run took, which differs.
        target.expected.truncate(whole);
        Ok(Self {
            target: Arc::new(target),
            answer,
        })
    }

    /// A bare proxy to the same stand-in. One that closes makes a connection for each run, as Airlock does.
    pub(super) fn proxy(&self, world: &World, close: bool) -> anyhow::Result<Server> {
        let mut inputs = arguments();
        inputs["language"] = "English".into();
        let run = json!({"inputs": inputs, "response_mode": "streaming", "user": "bench"});
        Server::start(&Role::Proxy {
            answer: self.answer.clone(),
            upstream: world.dify.upstream()?,
            close,
            run: run.to_string(),
        })
    }
}

pub(crate) async fn measure(world: &World, report: &mut Report) -> anyhow::Result<()> {
    let called = Called::of(world).await?;
    let pooled = called.proxy(world, false)?;
    let closing = called.proxy(world, true)?;
    let others = vec![
        Contender {
            name: "bare proxy, pooled",
            target: redirected(&called.target, &pooled)?,
            server: &pooled,
        },
        Contender {
            name: "bare proxy, closing",
            target: redirected(&called.target, &closing)?,
            server: &closing,
        },
    ];
    let airlock = Contender {
        name: "Airlock",
        server: &world.airlock,
        target: Arc::clone(&called.target),
    };
    let mut table = Table {
        title: "tools/call",
        about: format!(
            "A completion app through a fresh sandbox, its answer {} bytes long; beside a bare hyper proxy that asks the \
             same of the same stand-in, which answers at once, and reads the stream whole. The bulkhead is lifted: 128 \
             calls at one time in place of 6, and 3 for each app; the stand-in takes 256 connections in place of 10. \
             Airlock opens a connection for each run, because Dify keeps a finished one busy for another second: so does \
             the closing proxy, while the pooled one reuses its own. Throughput is judged beside both. {} rounds of {:?}.",
            called.answer.body.len(),
            PLAN.rounds,
            PLAN.time,
        ),
        ..Table::default()
    };
    contest(airlock, others, &PLAN, &GOALS, &mut table).await?;
    report.table(&table);
    defaults(report).await
}

/// The same with the bounds that a server has by itself.
async fn defaults(report: &mut Report) -> anyhow::Result<()> {
    let world = World::of(Setting {
        bounds: Bounds::Default,
        connections: DIFYS_CONNECTIONS,
        ..Setting::default()
    })
    .await?;
    let called = Called::of(&world).await?;
    let closing = called.proxy(&world, true)?;
    let others = vec![Contender {
        name: "bare proxy, closing",
        target: redirected(&called.target, &closing)?,
        server: &closing,
    }];
    let airlock = Contender {
        name: "Airlock",
        server: &world.airlock,
        target: Arc::clone(&called.target),
    };
    let mut table = Table {
        title: "tools/call, the defaults",
        about: format!(
            "The same with the bulkhead as it is: 3 calls of the app run at one time, and the others wait in a line. The \
             stand-in takes {DIFYS_CONNECTIONS} connections, as Dify does; the proxy has no bounds but these. {} rounds of \
             {:?}.",
            DEFAULTS_PLAN.rounds, DEFAULTS_PLAN.time,
        ),
        ..Table::default()
    };
    contest(
        airlock,
        others,
        &DEFAULTS_PLAN,
        &Goals::default(),
        &mut table,
    )
    .await?;
    report.table(&table);
    Ok(())
}
