//! Does a request take longer where more apps are published?

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use serde_json::json;

use super::{Era, Setting, World, call};
use crate::load::{self, Samples, Target};
use crate::report::{Goal, Report, Table, spread};
use crate::servers::Guests;

/// As a multiple of the p50 with one app.
const GOAL: Goal = Goal::AtMost(&[1.1]);

const ROUNDS: usize = 12;
const TIME: Duration = Duration::from_millis(400);

/// How many apps, and over how many components.
const SETTINGS: [(&str, usize, Guests); 4] = [
    ("1", 1, Guests::BuiltIn),
    ("100", 100, Guests::BuiltIn),
    ("1,000", 1_000, Guests::BuiltIn),
    ("1,000 over 20 components", 1_000, Guests::Distinct(20)),
];

pub(crate) async fn measure(report: &mut Report) -> anyhow::Result<()> {
    let mut worlds = Vec::new();
    for (name, apps, guests) in SETTINGS {
        let world = World::of(Setting {
            apps,
            guests,
            ..Setting::default()
        })
        .await?;
        let list = everywhere(&world, "tools/list", &json!({})).await?;
        let call = everywhere(&world, "tools/call", &call::params()).await?;
        worlds.push((name, world, [list, call]));
    }
    let mut samples = vec![[Samples::default(), Samples::default()]; worlds.len()];
    for round in 0..ROUNDS {
        let mut turns: Vec<_> = worlds.iter().zip(&mut samples).collect();
        if round % 2 == 1 {
            turns.reverse();
        }
        for ((_, world, targets), samples) in turns {
            for (target, samples) in targets.iter().zip(samples) {
                load::round(&world.airlock, target, 1, TIME, samples).await?;
            }
        }
    }
    let mut table = Table {
        title: "Many apps",
        about: format!(
            "Requests to all apps in turn, each of which has been asked before; 2026-07-28, one connection, closed loop. \
             {ROUNDS} rounds of {TIME:?}.",
        ),
        columns: vec![
            "apps",
            "tools/list p50, µs",
            "÷ with one app",
            "tools/call p50, µs",
            "÷ with one app",
        ],
        ..Table::default()
    };
    for ((name, ..), [list, call]) in worlds.iter().zip(&samples) {
        let judged = |own: &Samples, method: usize| match samples.first() {
            Some(one) if *name != SETTINGS[0].0 => GOAL.judge(&own.p50.ratio_to(&one[method].p50)),
            _ => String::new(),
        };
        table.rows.push(vec![
            (*name).to_owned(),
            spread(&list.p50, 0),
            judged(list, 0),
            spread(&call.p50, 0),
            judged(call, 1),
        ]);
    }
    report.table(&table);
    Ok(())
}

/// A request to every app, twice answered by each: the first time, a guest may have to be loaded. What the second answers
/// all begin with is what is expected of later ones.
async fn everywhere(
    world: &World,
    method: &'static str,
    params: &serde_json::Value,
) -> anyhow::Result<Arc<Target>> {
    let (mut target, _) = world.answered(Era::Stateless, method, params).await?;
    let apps = target.paths.len();
    let mut connection = load::connect(target.address).await?;
    for turn in 0..apps {
        load::exchange(&mut connection, &target, turn).await?;
    }
    let (_, answer) = load::exchange(&mut connection, &target, 0).await?;
    target.expected = answer;
    for turn in 0..apps {
        let (_, answer) = load::exchange(&mut connection, &target, turn).await?;
        let same = answer.iter().zip(&target.expected);
        let same = same.take_while(|(a, b)| a == b).count();
        target.expected.truncate(same);
    }
    let common = String::from_utf8_lossy(&target.expected).into_owned();
    // What stands in `_meta` is another thing each time.
    target
        .expected
        .truncate(common.find(r#""_meta""#).unwrap_or(common.len()));
    ensure!(common.contains(r#""result""#), "answers differ: {common}");
    Ok(Arc::new(target))
}
