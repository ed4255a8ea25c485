//! What a server holds: idle, by how much it has published, and for each call that waits for Dify.

use std::path::Path;

use anyhow::{Context, ensure};
use futures_util::future::try_join_all;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use serde_json::json;

use super::{Era, Setting, World, call};
use crate::load::{self, Target};
use crate::report::{Goal, Report, Table, number};
use crate::servers::{Airlock, Apps, Bounds, Dify, Guests, Role, Server};
use crate::stats::Series;

/// Calls that wait, of the 128 that may.
const SUSPENDED: usize = 100;
/// kB for each.
const EACH: Goal = Goal::AtMost(&[200.0]);

/// What is published, and the MB that a server may hold then.
const IDLE: [(&str, usize, Guests, Goal); 4] = [
    ("1 app", 1, Guests::BuiltIn, Goal::AtMost(&[])),
    ("20 apps", 20, Guests::BuiltIn, Goal::AtMost(&[40.0])),
    (
        "1,000 apps over 20 components",
        1_000,
        Guests::Distinct(20),
        Goal::AtMost(&[150.0]),
    ),
    (
        "100 apps over 100 components",
        100,
        Guests::Distinct(100),
        Goal::AtMost(&[]),
    ),
];

pub(crate) async fn measure(report: &mut Report) -> anyhow::Result<()> {
    idle(report).await?;
    suspended(report).await
}

async fn idle(report: &mut Report) -> anyhow::Result<()> {
    let mut table = Table {
        title: "Idle memory",
        about: "Resident memory of a server that was started anew with apps that are published and guests that are compiled, \
                once it computes nothing any more, and again when the tools of each app were listed and called once. A component counts as another where \
                its digest is another; all are the built-in guest's code."
            .into(),
        columns: vec!["published", "MB after the start", "MB after a call of each"],
        ..Table::default()
    };
    for (what, apps, guests, goal) in IDLE {
        let dify = Server::start(&Role::Dify(Dify {
            apps: Apps::Blurb,
            keys: apps,
            connections: 256,
            silent: false,
        }))?;
        let home = tempfile::tempdir()?;
        // Registered by one process and compiled by another, which are gone then with all that they needed for that.
        drop(airlock(&dify, home.path(), dify.keys.clone(), guests)?);
        let compiling = airlock(&dify, home.path(), Vec::new(), guests)?;
        compiling.process().rest().await?;
        drop(compiling);
        let server = airlock(&dify, home.path(), Vec::new(), guests)?;
        ensure!(server.urls.len() == apps, "{} apps", server.urls.len());
        let world = World::beside(dify, server).await?;
        world.airlock.process().rest().await?;
        let started = world.airlock.process().memory()?.now;
        for (method, params) in [("tools/list", json!({})), ("tools/call", call::params())] {
            let (target, _) = world.answered(Era::Stateless, method, &params).await?;
            let mut connection = load::connect(target.address).await?;
            for turn in 0..apps {
                load::exchange(&mut connection, &target, turn).await?;
            }
        }
        world.airlock.process().rest().await?;
        let used = world.airlock.process().memory()?.now;
        table.rows.push(vec![
            what.to_owned(),
            goal.judge(&Series::of(megabytes(started))),
            goal.judge(&Series::of(megabytes(used))),
        ]);
    }
    report.table(&table);
    Ok(())
}

fn airlock(
    dify: &Server,
    home: &Path,
    publish: Vec<String>,
    guests: Guests,
) -> anyhow::Result<Server> {
    Server::start(&Role::Airlock(Airlock {
        dify: dify.url()?.to_string(),
        home: Some(home.to_owned()),
        publish,
        guests,
        bounds: Bounds::Lifted,
    }))
}

async fn suspended(report: &mut Report) -> anyhow::Result<()> {
    let world = World::of(Setting {
        silent: true,
        ..Setting::default()
    })
    .await?;
    let target = world.target("tools/call", &call::params(), world.headers.clone())?;
    // What the first of its kind brings into memory stays there for all.
    let mut waiting = vec![wait(&target).await?];
    world.airlock.process().rest().await?;
    let before = world.airlock.process().memory()?.now;
    // Begun together: each takes half a second to become a stream.
    let begun = (0..SUSPENDED).map(|_| wait(&target));
    waiting.extend(try_join_all(begun).await?);
    world.airlock.process().rest().await?;
    let then = world.airlock.process().memory()?.now;
    let kilobytes = (megabytes(then) - megabytes(before)) * 1e3 / SUSPENDED as f64;
    report.table(&Table {
        title: "Suspended calls",
        about: format!(
            "{SUSPENDED} calls whose runs Dify has begun and says nothing more of, each on a connection of its own; beyond the \
             memory with one of them.",
        ),
        columns: vec!["MB before", "MB then", "kB for each"],
        rows: vec![vec![
            number(megabytes(before), 1),
            number(megabytes(then), 1),
            EACH.judge(&Series::of(kilobytes)),
        ]],
    });
    Ok(())
}

/// Begins a call, and waits until its answer has become a stream: after half a second it has long been waiting for Dify.
async fn wait(target: &Target) -> anyhow::Result<impl Sized> {
    let mut connection = load::connect(target.address).await?;
    let path = target.paths.first().context("a path")?;
    let mut request = Request::post(path.as_str()).body(Full::new(target.body.clone()))?;
    *request.headers_mut() = target.headers.clone();
    let response = connection.send_request(request).await?;
    let kind = response.headers().get(header::CONTENT_TYPE);
    let streams = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    if !streams {
        let body = response.into_body().collect().await?.to_bytes();
        anyhow::bail!("a call did not wait: {}", String::from_utf8_lossy(&body));
    }
    Ok((connection, response))
}

fn megabytes(kibibytes: u64) -> f64 {
    kibibytes as f64 * 1.024 / 1e3
}
