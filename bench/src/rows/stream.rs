//! A stream of 100 MB that tells of nothing but steps: how fast it is read, and what it leaves in memory.

use std::time::Instant;

use airlock_dify::measure;
use airlock_dify::{Config, parse_base};
use anyhow::ensure;
use bytes::Bytes;
use http::header::HeaderValue;
use serde::de::IgnoredAny;
use serde_json::json;

use super::World;
use crate::load;
use crate::report::{Goal, Report, Table, number, spread};
use crate::servers::{Airlock, Bounds, Flood, Guests, Role, Server};
use crate::stats::Series;

const ROUNDS: usize = 8;
const TOTAL: usize = 100 << 20;
/// What the network gives at a time; events are cut wherever it ends.
const PIECE: usize = 64 << 10;
/// Bytes of one event: about what a node of the recorded runs says, and one through which a text of 60 KB passes.
const EVENTS: [usize; 2] = [1 << 10, 64 << 10];

/// As a multiple of the speed at which `serde_json` skips the same bytes.
const SPEED: Goal = Goal::AtLeast(&[0.5]);
/// MiB that a call may add.
const MEMORY: Goal = Goal::AtMost(&[8.0]);

pub(crate) async fn measure(report: &mut Report) -> anyhow::Result<()> {
    let mut table = Table {
        title: "A stream of 100 MB",
        about: format!(
            "A workflow's run whose nodes say 100 MB in all. Skipping: `serde_json` reads each event as `IgnoredAny`. \
             Folding: the same bytes, in pieces of {} KiB, through the parser of the stream and the fold, {ROUNDS} rounds. \
             The call: the same stream from the stand-in through the whole of Airlock; memory is what the process had at \
             most during the second call beyond what it had before it.",
            PIECE >> 10
        ),
        columns: vec![
            "bytes of an event",
            "skipping, MB/s",
            "folding, MB/s",
            "folding ÷ skipping",
            "through a call, MB/s",
            "memory added, MiB",
        ],
        ..Table::default()
    };
    for size in EVENTS {
        let flood = Flood { size, total: TOTAL };
        let (skipping, folding) = speeds(flood)?;
        let (through, added) = call(flood).await?;
        table.rows.push(vec![
            size.to_string(),
            spread(&skipping, 0),
            spread(&folding, 0),
            SPEED.judge(&folding.ratio_to(&skipping)),
            number(through, 0),
            MEMORY.judge(&added),
        ]);
    }
    report.table(&table);
    Ok(())
}

/// MB in a second.
fn rate(began: Instant) -> f64 {
    TOTAL as f64 / 1e6 / began.elapsed().as_secs_f64()
}

fn speeds(flood: Flood) -> anyhow::Result<(Series, Series)> {
    let event = flood.event();
    let length = event.len();
    let stream = Bytes::from(event.repeat(flood.count()));
    let config = Config::new(parse_base("http://dify")?);
    let (mut skipping, mut folding) = (Series::default(), Series::default());
    for _ in 0..ROUNDS {
        let began = Instant::now();
        for event in stream.chunks(length) {
            let json = event.strip_prefix(b"data: ").unwrap_or(event);
            serde_json::from_slice::<IgnoredAny>(std::hint::black_box(json))?;
        }
        skipping.push(rate(began));

        let pieces = (0..stream.len()).step_by(PIECE);
        let pieces = pieces.map(|at| stream.slice(at..stream.len().min(at + PIECE)));
        let began = Instant::now();
        let told = measure::fold(&config, pieces)?;
        folding.push(rate(began));
        // The first event also names the run.
        ensure!(told == flood.count() + 1, "{told} events were told");
    }
    Ok((skipping, folding))
}

/// MB in a second, and MiB beyond what the process had before.
async fn call(flood: Flood) -> anyhow::Result<(f64, Series)> {
    let dify = Server::start(&Role::Flood(flood))?;
    let airlock = Server::start(&Role::Airlock(Airlock {
        dify: dify.url()?.to_string(),
        home: None,
        publish: dify.keys.clone(),
        guests: Guests::BuiltIn,
        bounds: Bounds::Lifted,
    }))?;
    let world = World::beside(dify, airlock).await?;
    let airlock = &world.airlock;
    let arguments = json!({"title": "Week 1", "audience": "team"});
    let params = json!({"name": "weekly_report", "arguments": arguments});
    let mut headers = world.headers.clone();
    headers.insert(
        "mcp-protocol-version",
        HeaderValue::from_static("2025-11-25"),
    );
    let target = world.target("tools/call", &params, headers)?;
    let (mut through, mut added) = (0.0, Series::default());
    // The first call also brings the program's own pages in.
    for first in [true, false] {
        airlock.process().forget_peak()?;
        let before = airlock.process().memory()?.now;
        let began = Instant::now();
        let (_, body) = load::once(&target).await?;
        let body = String::from_utf8_lossy(&body).into_owned();
        ensure!(body.contains("All is well."), "{body}");
        if !first {
            through = rate(began);
            added.push(airlock.process().memory()?.most.saturating_sub(before) as f64 / 1024.0);
        }
    }
    Ok((through, added))
}
