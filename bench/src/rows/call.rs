//! `tools/call` through the whole stack, beside a bare hyper proxy to the same stand-in.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{CONNECTIONS, Era, World, redirected};
use crate::contest::{Contender, Goals, Plan, contest};
use crate::report::{Report, Table};
use crate::servers::{Canned, Role, Server};

const PLAN: Plan = Plan {
    connections: CONNECTIONS,
    rounds: 6,
    time: Duration::from_millis(1_200),
};

/// The argument of every call.
pub(super) fn arguments() -> Value {
    json!({"query": "a kettle that whistles in tune"})
}

pub(crate) async fn measure(world: &World, report: &mut Report) -> anyhow::Result<()> {
    let call = json!({"name": "product_blurb", "arguments": arguments()});
    let (mut target, canned) = world.answered(Era::Session, "tools/call", &call).await?;
    let answer = canned.body.find(r#","_meta""#);
    let answer = answer.with_context(|| format!("no answer with usage: {}", canned.body))?;
    ensure!(
        canned.body.contains("A blurb for a kettle"),
        "{}",
        canned.body
    );
    // The usage in `_meta` tells how long the run took, which differs.
    target.expected.truncate(answer);
    let pooled = proxy(world, &canned, false)?;
    let closing = proxy(world, &canned, true)?;
    let others = vec![
        Contender {
            name: "bare proxy, pooled",
            target: redirected(&target, &pooled)?,
            server: &pooled,
        },
        Contender {
            name: "bare proxy, closing",
            target: redirected(&target, &closing)?,
            server: &closing,
        },
    ];
    let airlock = Contender {
        name: "Airlock",
        server: &world.airlock,
        target: Arc::new(target),
    };
    let mut table = Table {
        title: "tools/call",
        about: format!(
            "A completion app through a fresh sandbox, its answer {} bytes long; beside a bare hyper proxy that asks the \
             same of the same stand-in, which answers at once, and reads the stream whole. The bulkhead is lifted: 128 \
             calls at one time in place of 6, and 3 for each app; the stand-in takes 256 connections in place of 10. \
             Airlock opens a connection for each run, because Dify keeps a finished one busy for another second: so does \
             the closing proxy, while the pooled one reuses its own. {} rounds of {:?}.",
            canned.body.len(),
            PLAN.rounds,
            PLAN.time,
        ),
        ..Table::default()
    };
    contest(airlock, others, &PLAN, &Goals::default(), &mut table).await?;
    report.table(&table);
    Ok(())
}

fn proxy(world: &World, answer: &Canned, close: bool) -> anyhow::Result<Server> {
    let mut inputs = arguments();
    inputs["language"] = "English".into();
    let run = json!({"inputs": inputs, "response_mode": "streaming", "user": "bench"});
    Server::start(&Role::Proxy {
        answer: answer.clone(),
        upstream: world.upstream(),
        close,
        run: run.to_string(),
    })
}
