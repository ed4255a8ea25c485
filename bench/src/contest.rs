//! Several servers under the same load, and the table of what came of it.

use std::sync::Arc;
use std::time::Duration;

use crate::load::{self, Samples, Target};
use crate::report::{Goal, Table, number, spread};
use crate::servers::Server;

/// One server and its load.
pub(crate) struct Contender<'a> {
    pub(crate) name: &'static str,
    pub(crate) server: &'a Server,
    pub(crate) target: Arc<Target>,
}

/// How long, and how often.
pub(crate) struct Plan {
    pub(crate) connections: &'static [usize],
    pub(crate) rounds: usize,
    pub(crate) time: Duration,
}

/// What Airlock should reach beside the others.
#[derive(Default)]
pub(crate) struct Goals {
    pub(crate) throughput: &'static [f64],
    pub(crate) cpu: &'static [f64],
    /// Connections from which on this is judged.
    pub(crate) from: usize,
}

/// Loads Airlock and the others in turn. Each row of an other shows Airlock's ratio to it.
pub(crate) async fn contest(
    airlock: Contender<'_>,
    others: Vec<Contender<'_>>,
    plan: &Plan,
    goals: &Goals,
    table: &mut Table,
) -> anyhow::Result<()> {
    table.columns = vec![
        "connections",
        "server",
        "requests/s",
        "its CPU, µs/request",
        "p50, µs",
        "p99, µs",
        "Airlock's throughput ÷ its",
        "Airlock's CPU ÷ its",
    ];
    let contenders: Vec<_> = std::iter::once(airlock).chain(others).collect();
    let mut samples = vec![vec![Samples::default(); contenders.len()]; plan.connections.len()];
    for round in 0..plan.rounds {
        for (connections, samples) in plan.connections.iter().zip(&mut samples) {
            let mut turns: Vec<_> = contenders.iter().zip(samples).collect();
            // Whoever comes after a heavier one may find the processor slowed down: take turns at that too.
            if round % 2 == 1 {
                turns.reverse();
            }
            for (contender, samples) in turns {
                let Contender { server, target, .. } = contender;
                load::round(server, target, *connections, plan.time, samples).await?;
            }
        }
    }
    for (connections, samples) in plan.connections.iter().zip(&samples) {
        let airlock = &samples[0];
        let judged = *connections >= goals.from;
        let judged = |bounds: &'static [f64]| if judged { bounds } else { &[] };
        for (place, (contender, own)) in contenders.iter().zip(samples).enumerate() {
            let (throughput, cpu) = if place == 0 {
                (String::new(), String::new())
            } else {
                (
                    Goal::AtLeast(judged(goals.throughput))
                        .judge(&airlock.throughput.ratio_to(&own.throughput)),
                    Goal::AtMost(judged(goals.cpu)).judge(&airlock.cpu.ratio_to(&own.cpu)),
                )
            };
            table.rows.push(vec![
                connections.to_string(),
                contender.name.to_owned(),
                spread(&own.throughput, 0),
                spread(&own.cpu, 1),
                number(own.p50.median(), 0),
                number(own.p99.median(), 0),
                throughput,
                cpu,
            ]);
        }
    }
    Ok(())
}
