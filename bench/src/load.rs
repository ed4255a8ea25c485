//! A closed loop: each connection sends its next request when the answer to the last one is there.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::servers::Server;
use crate::stats::Series;

/// What is sent, to whom, and what must come back.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// Where it is sent, one after the other. There is at least one.
    pub(crate) paths: Arc<[String]>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// How each answer must begin, or the benchmark ends: a fast error is no speed.
    pub(crate) expected: Bytes,
}

impl Target {
    /// # Errors
    /// When the answer is not what is expected.
    pub(crate) fn check(&self, answer: &[u8]) -> anyhow::Result<()> {
        ensure!(
            answer.starts_with(&self.expected),
            "an unexpected answer: {}",
            String::from_utf8_lossy(answer)
        );
        Ok(())
    }
}

/// What one server did under one load, round by round.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples {
    /// Answers in a second.
    pub(crate) throughput: Series,
    /// The server's own CPU time for one request, in microseconds.
    pub(crate) cpu: Series,
    /// Half of the answers took longer, in microseconds.
    pub(crate) p50: Series,
    /// One in a hundred took longer, in microseconds.
    pub(crate) p99: Series,
}

/// One exchange on a connection of its own: status 200 is required.
pub(crate) async fn once(target: &Target) -> anyhow::Result<(HeaderMap, Bytes)> {
    exchange(&mut connect(target.address).await?, target, 0).await
}

/// Loads `server` with `connections` for `time`, and adds what was seen to `samples`.
pub(crate) async fn round(
    server: &Server,
    target: &Arc<Target>,
    connections: usize,
    time: Duration,
    samples: &mut Samples,
) -> anyhow::Result<()> {
    // Everybody is connected and warm before the clocks are read.
    let ready = Arc::new(Barrier::new(connections + 1));
    let mut clients = JoinSet::new();
    for place in 0..connections {
        // Where there are many paths, no two clients should follow in each other's steps.
        let first = place * target.paths.len() / connections;
        clients.spawn(client(Arc::clone(target), first, Arc::clone(&ready), time));
    }
    tokio::select! {
        _ = ready.wait() => {}
        // Nobody leaves before the barrier but with an error.
        Some(early) = clients.join_next() => { early??; }
    }
    let (began, cpu) = (Instant::now(), server.process().cpu()?);
    let mut latencies = Vec::new();
    while let Some(client) = clients.join_next().await {
        latencies.extend(client??);
    }
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), server.process().cpu()? - cpu);
    ensure!(!latencies.is_empty(), "no answer came within {time:?}");
    let requests = latencies.len() as f64;
    latencies.sort_unstable();
    samples.throughput.push(requests / seconds);
    samples.cpu.push(micros(cpu) / requests);
    samples.p50.push(quantile(&latencies, 0.5));
    samples.p99.push(quantile(&latencies, 0.99));
    Ok(())
}

/// Microseconds that this share of the answers took no longer than. They are sorted, and there is one at least.
pub(crate) fn quantile(latencies: &[Duration], of: f64) -> f64 {
    let place = (of * (latencies.len() - 1) as f64).round() as usize;
    micros(latencies[place])
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

async fn client(
    target: Arc<Target>,
    first: usize,
    ready: Arc<Barrier>,
    time: Duration,
) -> anyhow::Result<Vec<Duration>> {
    let mut connection = connect(target.address).await?;
    let mut turn = first;
    exchange(&mut connection, &target, turn).await?;
    ready.wait().await;
    let mut latencies = Vec::new();
    let end = Instant::now() + time;
    let mut sent = Instant::now();
    while sent < end {
        turn += 1;
        let (_, answer) = exchange(&mut connection, &target, turn).await?;
        target.check(&answer)?;
        let now = Instant::now();
        latencies.push(now - sent);
        sent = now;
    }
    Ok(latencies)
}

pub(crate) type Connection = SendRequest<Full<Bytes>>;

/// A connection of its own.
pub(crate) async fn connect(address: SocketAddr) -> anyhow::Result<Connection> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (send, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(send)
}

/// One request, sent to the path whose turn it is, and its whole answer: status 200 is required.
pub(crate) async fn exchange(
    connection: &mut Connection,
    target: &Target,
    turn: usize,
) -> anyhow::Result<(HeaderMap, Bytes)> {
    let path = &target.paths[turn % target.paths.len()];
    let mut request = Request::post(path.as_str()).body(Full::new(target.body.clone()))?;
    *request.headers_mut() = target.headers.clone();
    connection.ready().await?;
    let response = connection.send_request(request).await?;
    let (head, body) = response.into_parts();
    let body = body.collect().await.context("a broken answer")?.to_bytes();
    ensure!(
        head.status == StatusCode::OK,
        "{}: {}",
        head.status,
        String::from_utf8_lossy(&body)
    );
    Ok((head.headers, body))
}
