//! How soon a client hears that something happens.

use std::time::{Duration, Instant};

use anyhow::bail;
use bytes::Bytes;
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use serde_json::json;

use super::{Setting, World};
use crate::load::{self, quantile};
use crate::report::{Report, Table, spread};
use crate::servers::Apps;
use crate::stats::Series;

const ROUNDS: usize = 6;
const CALLS: usize = 100;

pub(crate) async fn measure(report: &mut Report) -> anyhow::Result<()> {
    let world = World::of(Setting {
        kind: Apps::Report,
        ..Setting::default()
    })
    .await?;
    let inputs = json!({"title": "Week 1", "audience": "team"});
    let params =
        json!({"name": "weekly_report", "arguments": inputs, "_meta": {"progressToken": "p"}});
    let target = world.target("tools/call", &params, world.headers.clone())?;
    let upstream = world.dify.upstream()?;
    let run = json!({"inputs": inputs, "response_mode": "streaming", "user": "bench"});
    let run = Bytes::from(run.to_string());
    let (mut through, mut straight) = (Latencies::default(), Latencies::default());
    for _ in 0..ROUNDS {
        let (mut calls, mut runs) = (Vec::new(), Vec::new());
        for _ in 0..CALLS {
            let mut request =
                Request::post(target.paths[0].as_str()).body(Full::new(target.body.clone()))?;
            *request.headers_mut() = target.headers.clone();
            let connection = load::connect(target.address).await?;
            calls.push(until(connection, request, b"notifications/progress").await?);

            let request = Request::post(format!("{}/workflows/run", world.dify.url()?.path()))
                .header("host", "dify")
                .header(CONTENT_TYPE, "application/json")
                .header(AUTHORIZATION, format!("Bearer {}", upstream.key))
                .body(Full::new(run.clone()))?;
            let connection = load::connect(world.dify.address()?).await?;
            runs.push(until(connection, request, b"node_started").await?);
        }
        through.push(calls);
        straight.push(runs);
    }
    let added = |to: &Series, base: &Series| spread(&to.with(base, |to, base| to - base), 2);
    let row = |who: &str, p50: String, p99: String| vec![who.to_owned(), p50, p99];
    report.table(&Table {
        title: "The first progress event",
        about: format!(
            "A workflow whose steps the stand-in tells of at once. From a call to its first `notifications/progress`, and from \
             a run asked for straight of the stand-in to the first event that tells of a step, from which the other is made. \
             One at a time, each on a connection that is open, {ROUNDS} rounds of {CALLS}.",
        ),
        columns: vec!["", "p50, ms", "p99, ms"],
        rows: vec![
            row(
                "through Airlock",
                spread(&through.p50, 2),
                spread(&through.p99, 2),
            ),
            row(
                "straight from the stand-in",
                spread(&straight.p50, 2),
                spread(&straight.p99, 2),
            ),
            row(
                "added",
                added(&through.p50, &straight.p50),
                added(&through.p99, &straight.p99),
            ),
        ],
    });
    Ok(())
}

/// Milliseconds, round by round.
#[derive(Default)]
struct Latencies {
    p50: Series,
    p99: Series,
}

impl Latencies {
    fn push(&mut self, mut round: Vec<Duration>) {
        round.sort_unstable();
        self.p50.push(quantile(&round, 0.5) / 1e3);
        self.p99.push(quantile(&round, 0.99) / 1e3);
    }
}

/// From the request to the bytes that are waited for. What comes after them is read, so that nothing is hung up on.
async fn until(
    mut connection: load::Connection,
    request: Request<Full<Bytes>>,
    word: &[u8],
) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let mut response = connection.send_request(request).await?;
    let (mut read, mut heard) = (Vec::new(), None);
    while let Some(frame) = response.body_mut().frame().await {
        if let Ok(data) = frame?.into_data() {
            read.extend_from_slice(&data);
        }
        if heard.is_none() && read.windows(word.len()).any(|window| window == word) {
            heard = Some(began.elapsed());
        }
    }
    match heard {
        Some(heard) => Ok(heard),
        None => bail!("not heard: {}", String::from_utf8_lossy(&read)),
    }
}
