//! A soak in miniature: faults that nobody asked for, and memory that grows.

use std::time::Instant;

use airlock_registry::Home;
use airlock_tests::soak::{self, Plan, Soaked, Subject};

use crate::report::{Goal, Report, Table, number};
use crate::servers::{Airlock, Apps, Bounds, Dify, Guests, Role, Server};
use crate::stats::Series;

const APPS: usize = 50;
const PLAN: Plan = Plan {
    // Long, so that what is used for the first time is not taken for a leak.
    warm_up: 100_000,
    calls: 200_000,
    workers: 16,
    operation_every: 500,
    hostile_every: 500,
};

/// Calls whose answers nobody had asked for.
const FAULTS: Goal = Goal::AtMost(&[0.0]);
/// Per cent.
const GROWTH: Goal = Goal::AtMost(&[5.0]);

pub(crate) async fn measure(report: &mut Report) -> anyhow::Result<()> {
    let apps = Apps::EachMode;
    let dify = Server::start(&Role::Dify(Dify {
        apps,
        keys: APPS,
        connections: 256,
        silent: false,
    }))?;
    let home = tempfile::tempdir()?;
    let airlock = Server::start(&Role::Airlock(Airlock {
        dify: dify.url()?.to_string(),
        home: Some(home.path().to_owned()),
        publish: Vec::new(),
        guests: Guests::BuiltIn,
        bounds: Bounds::Narrow,
    }))?;
    let samples = apps.samples().iter().copied().cycle();
    let subject = Subject {
        socket: Home::open(home.path())?.socket(),
        process: airlock.process(),
        keys: samples.zip(dify.keys.iter().cloned()).collect(),
    };
    let began = Instant::now();
    let soaked = soak::run(&subject, PLAN).await?;
    report.table(&table(&soaked, began.elapsed().as_secs_f64()));
    Ok(())
}

fn table(soaked: &Soaked, seconds: f64) -> Table {
    let mut rows: Vec<_> = soaked
        .answers
        .iter()
        .map(|(what, count)| vec![format!("calls: {what}"), count.to_string()])
        .collect();
    let operations = soaked.operations.iter();
    rows.extend(operations.map(|(what, count)| vec![(*what).to_owned(), count.to_string()]));
    let faults = soaked.faults.len();
    rows.push(vec![
        "calls answered in a way that nothing explains".into(),
        FAULTS.judge(&Series::of(faults as f64)),
    ]);
    rows.extend(
        soaked
            .faults
            .iter()
            .map(|fault| vec![format!("  {fault}"), String::new()]),
    );
    let megabytes = |kibibytes: u64| number(kibibytes as f64 * 1.024 / 1e3, 1);
    rows.push(vec![
        "MB resident after the warm-up".into(),
        megabytes(soaked.memory.0),
    ]);
    rows.push(vec![
        "MB resident in the end".into(),
        megabytes(soaked.memory.1),
    ]);
    rows.push(vec![
        "growth in %".into(),
        GROWTH.judge(&Series::of(soaked.growth())),
    ]);
    Table {
        title: "A soak in miniature",
        about: format!(
            "{} calls, after {} to warm up, by {} clients over {APPS} apps of all modes, one in ten with a hostile guest: it \
             spins, eats memory, recurses, panics, or waits until its caller has left. Meanwhile guests are swapped, addresses \
             replaced, apps switched off and on and described again. An answer is explained where it is the right one, where \
             it says that a guest was stopped that misbehaved, and where the address was dead at some moment of the call. The \
             bulkhead is lifted; guests have 50 ms and 16 MiB. {seconds:.0} s.",
            PLAN.calls, PLAN.warm_up, PLAN.workers,
        ),
        columns: vec!["", "seen"],
        rows,
    }
}
