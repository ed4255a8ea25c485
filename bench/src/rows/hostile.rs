//! What a neighbour notices while a guest attacks.

use std::time::{Duration, Instant};

use airlock_tests::hostile::Misbehaviour;
use anyhow::ensure;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use serde_json::json;

use crate::load::{self, Target};
use crate::report::{Report, Table, number};
use crate::servers::{REST, Role, Server};
use crate::stats::Series;

const ROUNDS: usize = 2;
/// How long the neighbour is called in each part of a round.
const TIME: Duration = Duration::from_millis(500);
/// What the p99 beside an attack may be: so many times what it was before, or so much more, in microseconds.
const TIMES: f64 = 1.5;
const MORE: f64 = 5_000.0;
/// What the host's memory may be after all attacks, as a multiple of what it was.
const MEMORY: f64 = 1.1;
/// How long it may take until it is that.
const SETTLES: Duration = Duration::from_secs(30);

pub(crate) async fn measure(report: &mut Report) -> anyhow::Result<()> {
    let mut server = Server::start(&Role::Hostile)?;
    let target = neighbour(&server)?;
    // What is slow the first time is no matter here.
    p99(&target).await?;
    let process = server.process();
    process.rest().await?;
    let fresh = process.memory()?.now;
    // Once each: what is needed the first time (pages of the program, places in the pool) is there then.
    for way in Misbehaviour::ALL {
        server.tell(way.name())?;
        p99(&target).await?;
        server.tell(REST)?;
    }
    process.rest().await?;
    let before = process.memory()?.now;
    let mut table = Table {
        title: "Beside an attack",
        about: format!(
            "A chat app called one time after the other, alone, alone again (which shows what the machine does by itself), \
             and while another app's guest attacks without a pause, in the same server. p99 in µs; {ROUNDS} rounds of {} ms \
             each. Beside an attack it may be {TIMES} times what it was alone, or {} ms more. The last row is the server's \
             resident memory in kB: before the first attack, after each has been made once (from which the goal is \
             counted), and in the end, at most {SETTLES:?} after the last.",
            TIME.as_millis(),
            MORE / 1_000.0,
        ),
        columns: vec![
            "attack",
            "alone",
            "alone again",
            "beside it",
            "÷ alone",
            "at most",
        ],
        rows: Vec::new(),
    };
    let mut within = 0;
    for way in Misbehaviour::ALL {
        let (mut alone, mut again, mut beside) =
            (Series::default(), Series::default(), Series::default());
        for _ in 0..ROUNDS {
            alone.push(p99(&target).await?);
            again.push(p99(&target).await?);
            server.tell(way.name())?;
            beside.push(p99(&target).await?);
            server.tell(REST)?;
        }
        let most = (alone.median() * TIMES).max(alone.median() + MORE);
        let fits = beside.median() <= most;
        within += usize::from(fits);
        let ratio = beside.ratio_to(&alone).median();
        table.rows.push(vec![
            way.name().to_owned(),
            number(alone.median(), 0),
            number(again.median(), 0),
            number(beside.median(), 0),
            number(ratio, 2),
            format!("{} {}", number(most, 0), if fits { "yes" } else { "NO" }),
        ]);
    }
    let most = before as f64 * MEMORY;
    let ended = Instant::now();
    let mut after = process.memory()?.now;
    while after as f64 > most && ended.elapsed() < SETTLES {
        process.rest().await?;
        after = process.memory()?.now;
    }
    let fits = after as f64 <= most;
    table.rows.push(vec![
        "memory, kB".into(),
        fresh.to_string(),
        before.to_string(),
        after.to_string(),
        number(after as f64 / before as f64, 2),
        format!("{} {}", number(most, 0), if fits { "yes" } else { "NO" }),
    ]);
    table.about += &format!(" {within} of {} do.", Misbehaviour::ALL.len());
    report.table(&table);
    Ok(())
}

fn neighbour(server: &Server) -> anyhow::Result<Target> {
    let mut headers = HeaderMap::new();
    let authority = server
        .url()?
        .authority()
        .map_or("localhost", |it| it.as_str());
    headers.insert(HOST, authority.parse()?);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(
        ACCEPT,
        HeaderValue::from_static("application/json, text/event-stream"),
    );
    headers.insert(
        "mcp-protocol-version",
        HeaderValue::from_static("2025-11-25"),
    );
    let trip = json!({"query": "Where to?", "topic": "Lisbon"});
    let call = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "travel_chat", "arguments": trip},
    });
    Ok(Target {
        address: server.address()?,
        paths: [server.url()?.path().to_owned()].into(),
        headers,
        body: call.to_string().into(),
        expected: Bytes::new(),
    })
}

/// Of the calls that fit into [`TIME`], one after the other on one connection.
async fn p99(target: &Target) -> anyhow::Result<f64> {
    let mut connection = load::connect(target.address).await?;
    let mut latencies = Vec::new();
    let began = Instant::now();
    while began.elapsed() < TIME {
        let sent = Instant::now();
        let (_, answer) = load::exchange(&mut connection, target, 0).await?;
        latencies.push(sent.elapsed());
        let answer = String::from_utf8_lossy(&answer);
        ensure!(
            answer.contains(r#""content""#) && !answer.contains(r#""isError":true"#),
            "the neighbour's call failed: {answer}"
        );
    }
    latencies.sort_unstable();
    let place = (latencies.len() - 1) * 99 / 100;
    Ok(latencies[place].as_secs_f64() * 1e6)
}
