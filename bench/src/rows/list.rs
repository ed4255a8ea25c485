//! `tools/list` beside a bare hyper server.

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use serde_json::json;

use super::{CONNECTIONS, Era, World, redirected};
use crate::contest::{Contender, Goals, Plan, contest};
use crate::report::{Report, Table};
use crate::servers::{Role, Server};

/// The first goal, and the one after it.
const GOALS: Goals = Goals {
    throughput: &[0.70, 0.85],
    cpu: &[1.50, 1.35],
    from: 1,
};

const PLAN: Plan = Plan {
    connections: CONNECTIONS,
    // A round's ratio lies as much as 0.4 beside the next one's: where the system happens to put the threads. Many short
    // ones show more than few long ones.
    rounds: 36,
    time: Duration::from_millis(150),
};

pub(crate) async fn measure(world: &World, report: &mut Report) -> anyhow::Result<()> {
    era(world, Era::Session, "tools/list, 2025-11-25", report).await?;
    era(world, Era::Stateless, "tools/list, 2026-07-28", report).await
}

async fn era(
    world: &World,
    era: Era,
    title: &'static str,
    report: &mut Report,
) -> anyhow::Result<()> {
    let (target, canned) = world.answered(era, "tools/list", &json!({})).await?;
    ensure!(canned.body.contains("inputSchema"), "{}", canned.body);
    let mut table = Table {
        title,
        about: format!(
            "One app, the answer {} bytes long; beside a bare hyper server that reads the same request and answers the \
             same bytes. Closed loop, client on one thread, {} rounds of {:?}.",
            canned.body.len(),
            PLAN.rounds,
            PLAN.time,
        ),
        ..Table::default()
    };
    let bare = Server::start(&Role::Bare(canned))?;
    let others = vec![Contender {
        name: "bare hyper",
        target: redirected(&target, &bare)?,
        server: &bare,
    }];
    let airlock = Contender {
        name: "Airlock",
        server: &world.airlock,
        target: Arc::new(target),
    };
    contest(airlock, others, &PLAN, &GOALS, &mut table).await?;
    report.table(&table);
    Ok(())
}
