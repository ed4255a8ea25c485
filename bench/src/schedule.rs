//! An open loop: requests are sent by a schedule, whatever becomes of those before them.
//!
//! A closed loop stops asking while a server is slow, and so hides how slow it was. Here the latency counts from the moment
//! at which the request was due: where the answer before it on its connection comes late, the wait is part of it.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, ensure};
use tokio::runtime::Builder;

use crate::load::{self, Target, quantile};

/// What one server did with one schedule.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept {
    /// Answers in a second, from the first request due to the last answer.
    pub(crate) rate: f64,
    /// Microseconds from when a request was due.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

impl Kept {
    /// Did the server keep up with `rate`?
    pub(crate) fn keeps_up(&self, rate: u32) -> bool {
        self.rate >= 0.98 * f64::from(rate)
    }
}

/// Sends `rate` requests a second for `time`, in turn on so many connections. Each has a thread of its own, because a
/// runtime's timer goes by whole milliseconds; the calling thread waits for them.
pub(crate) fn round(
    target: &Arc<Target>,
    rate: u32,
    connections: u32,
    time: Duration,
) -> anyhow::Result<Kept> {
    let ready = Arc::new(Barrier::new(connections as usize));
    let clients: Vec<_> = (0..connections)
        .map(|place| {
            let (target, ready) = (Arc::clone(target), Arc::clone(&ready));
            let every = Duration::from_secs(1) / rate;
            let schedule = Schedule {
                first: every * place,
                every: every * connections,
                time,
            };
            thread::spawn(move || client(&target, &ready, schedule))
        })
        .collect();
    let (mut latencies, mut elapsed) = (Vec::new(), Duration::ZERO);
    for client in clients {
        let client = client.join().map_err(|_| anyhow!("a client panicked"))?;
        let (seen, end) = client?;
        latencies.extend(seen);
        elapsed = elapsed.max(end);
    }
    ensure!(!latencies.is_empty(), "nothing was due within {time:?}");
    latencies.sort_unstable();
    Ok(Kept {
        rate: latencies.len() as f64 / elapsed.max(time).as_secs_f64(),
        p50: quantile(&latencies, 0.5),
        p99: quantile(&latencies, 0.99),
    })
}

/// When a connection's requests are due.
struct Schedule {
    first: Duration,
    every: Duration,
    time: Duration,
}

/// The latencies, and when the last answer was there.
fn client(
    target: &Target,
    ready: &Barrier,
    schedule: Schedule,
) -> anyhow::Result<(Vec<Duration>, Duration)> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let connected = runtime.block_on(async {
        let mut connection = load::connect(target.address).await?;
        load::exchange(&mut connection, target, 0).await?;
        anyhow::Ok(connection)
    });
    // Whoever failed must not keep the others waiting.
    ready.wait();
    let mut connection = connected.context("a client is not connected")?;
    let began = Instant::now();
    let (mut latencies, mut due, mut turn) = (Vec::new(), schedule.first, 0);
    while due < schedule.time {
        thread::sleep(due.saturating_sub(began.elapsed()));
        turn += 1;
        let (_, answer) = runtime.block_on(load::exchange(&mut connection, target, turn))?;
        target.check(&answer)?;
        latencies.push(began.elapsed() - due);
        due += schedule.every;
    }
    Ok((latencies, began.elapsed()))
}
