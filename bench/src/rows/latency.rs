//! What Airlock adds to a call at a load that leaves both time to breathe.

use std::sync::Arc;
use std::time::Duration;

use super::call::Called;
use super::{World, redirected};
use crate::load::Target;
use crate::report::{Goal, Report, Table, spread};
use crate::schedule::{self, Kept};
use crate::stats::Series;

/// Calls a second: the first is what is judged, and the others show what this machine can do where it is too slow for that.
const RATES: [u32; 5] = [2_000, 1_500, 1_000, 500, 250];
const CONNECTIONS: u32 = 32;
const ROUNDS: usize = 6;
const TIME: Duration = Duration::from_millis(1_200);

/// Milliseconds added.
const P50: f64 = 0.15;
const P99: f64 = 0.6;

/// One server, and what it did round by round, in milliseconds.
struct Contender {
    name: &'static str,
    target: Arc<Target>,
    p50: Series,
    p99: Series,
}

impl Contender {
    fn new(name: &'static str, target: Arc<Target>) -> Self {
        Self {
            name,
            target,
            p50: Series::default(),
            p99: Series::default(),
        }
    }

    fn round(&self, rate: u32) -> anyhow::Result<Kept> {
        schedule::round(&self.target, rate, CONNECTIONS, TIME)
    }
}

pub(crate) async fn measure(world: &World, report: &mut Report) -> anyhow::Result<()> {
    let called = Called::of(world).await?;
    let pooled = called.proxy(world, false)?;
    let closing = called.proxy(world, true)?;
    let again = called.proxy(world, true)?;
    let mut contenders = [
        Contender::new("Airlock", Arc::clone(&called.target)),
        Contender::new("bare proxy, pooled", redirected(&called.target, &pooled)?),
        Contender::new("bare proxy, closing", redirected(&called.target, &closing)?),
        Contender::new("the same once more", redirected(&called.target, &again)?),
    ];
    let (rate, slow) = sustained(&contenders)?;
    for round in 0..ROUNDS {
        let mut turns: Vec<_> = contenders.iter_mut().collect();
        if round % 2 == 1 {
            turns.reverse();
        }
        for contender in turns {
            let kept = contender.round(rate)?;
            contender.p50.push(kept.p50 / 1e3);
            contender.p99.push(kept.p99 / 1e3);
        }
    }
    report.table(&table(&contenders, rate, &slow));
    Ok(())
}

/// The highest rate that all keep up with, and who did not keep up with higher ones. The lowest is taken as it is.
fn sustained(contenders: &[Contender]) -> anyhow::Result<(u32, String)> {
    let mut slow = String::new();
    for rate in RATES {
        let mut all = true;
        for contender in contenders {
            let kept = contender.round(rate)?;
            if !kept.keeps_up(rate) {
                all = false;
                let name = contender.name;
                slow += &format!(
                    " Of {rate} calls a second, {name} answered {:.0}.",
                    kept.rate
                );
            }
        }
        if all {
            return Ok((rate, slow));
        }
    }
    Ok((RATES[RATES.len() - 1], slow))
}

fn table(contenders: &[Contender; 4], rate: u32, slow: &str) -> Table {
    let [airlock, pooled, closing, again] = contenders;
    let added = |to: &Series, base: &Series| to.with(base, |to, base| to - base);
    // What two equal servers differ by is what no difference can be told from.
    let control = [
        added(&again.p50, &closing.p50),
        added(&again.p99, &closing.p99),
    ];
    let judged = |added: &Series, bound: &'static [f64; 1], control: &Series| {
        let noise = control.max().max(-control.min());
        if rate != RATES[0] {
            format!("{}; not judged at this rate", spread(added, 2))
        } else if noise > bound[0] {
            format!(
                "{}; ≤ {:.2} not judged: equal servers differ by up to {noise:.2}",
                spread(added, 2),
                bound[0]
            )
        } else {
            Goal::AtMost(bound).judge(added)
        }
    };
    let mut table = Table {
        title: "Added latency",
        about: format!(
            "tools/call, {rate} calls a second by a schedule (open loop) over {CONNECTIONS} connections, whatever becomes of \
             the calls before; the bulkhead is lifted. Milliseconds from when a call was due to its answer: waiting counts, \
             and so does the client's own lateness, which is the same for all. The control is the closing proxy beside \
             another of its kind. {ROUNDS} rounds of {TIME:?}.{slow}",
        ),
        columns: vec![
            "server",
            "p50, ms",
            "p99, ms",
            "Airlock's p50 − its",
            "Airlock's p99 − its",
        ],
        ..Table::default()
    };
    let mut row = |contender: &Contender, p50: String, p99: String| {
        table.rows.push(vec![
            contender.name.to_owned(),
            spread(&contender.p50, 2),
            spread(&contender.p99, 2),
            p50,
            p99,
        ]);
    };
    row(airlock, String::new(), String::new());
    for base in [pooled, closing] {
        row(
            base,
            judged(&added(&airlock.p50, &base.p50), &[P50], &control[0]),
            judged(&added(&airlock.p99, &base.p99), &[P99], &control[1]),
        );
    }
    let [p50, p99] = control.each_ref().map(|series| spread(series, 2));
    row(again, format!("control: {p50}"), format!("control: {p99}"));
    table
}
