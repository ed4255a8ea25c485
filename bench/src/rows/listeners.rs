//! Clients that only wait to hear of changes: the memory that each of them costs.

use anyhow::{Context, ensure};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use serde_json::{Value, json};

use super::World;
use crate::load;
use crate::report::{Goal, Report, Table, number};
use crate::stats::Series;

/// Fewer where the system allows fewer open files.
const LISTENERS: usize = 5_000;
/// kB for each.
const GOAL: Goal = Goal::AtMost(&[20.0]);

/// What a client does after its first request.
#[derive(Clone, Copy)]
enum Waiting {
    /// It keeps its connection.
    Idle,
    /// It listens in its session, with a GET.
    Session,
    /// It listens with `subscriptions/listen`.
    Subscription,
}

pub(crate) async fn measure(report: &mut Report) -> anyhow::Result<()> {
    let listeners = airlock::net::descriptors::room_for(LISTENERS);
    let mut table = Table {
        title: "Idle listeners",
        about: format!(
            "{listeners} clients, each with a connection and a session of its own; a fresh server for each row. Resident \
             memory of the server's process before they come, and once each has heard the second sign of life on its \
             stream.",
        ),
        columns: vec!["each client holds", "MB before", "MB then", "kB for each"],
        ..Table::default()
    };
    for (what, waiting) in [
        ("a connection between two requests", Waiting::Idle),
        ("the GET stream of a session, 2025-11-25", Waiting::Session),
        ("subscriptions/listen, 2026-07-28", Waiting::Subscription),
    ] {
        let world = World::start().await?;
        // What the first of its kind brings into memory stays there for all.
        let first = world.listener(waiting).await?;
        let before = world.airlock.process().memory()?.now;
        let mut clients = Vec::with_capacity(listeners);
        for _ in 0..listeners {
            clients.push(world.listener(waiting).await?);
        }
        for client in &mut clients {
            client.sign().await?;
        }
        let then = world.airlock.process().memory()?.now;
        let mut each = Series::default();
        each.push(then.saturating_sub(before) as f64 * 1.024 / listeners as f64);
        let each = match waiting {
            Waiting::Idle => number(each.median(), 1),
            Waiting::Session | Waiting::Subscription => GOAL.judge(&each),
        };
        let megabytes = |kibibytes: u64| number(kibibytes as f64 * 1.024 / 1e3, 1);
        table.rows.push(vec![
            what.to_owned(),
            megabytes(before),
            megabytes(then),
            each,
        ]);
        drop((first, clients));
    }
    report.table(&table);
    Ok(())
}

/// A client that waits.
struct Listener {
    /// Dropped, it would close.
    connection: SendRequest<Full<Bytes>>,
    events: Option<Incoming>,
}

impl Listener {
    /// Waits for the next bytes on its stream, if it has one.
    async fn sign(&mut self) -> anyhow::Result<()> {
        if let Some(events) = &mut self.events {
            let frame = events.frame().await.context("a stream has ended")??;
            ensure!(frame.is_data(), "a stream has ended");
        }
        Ok(())
    }
}

impl World {
    async fn listener(&self, waiting: Waiting) -> anyhow::Result<Listener> {
        let mut connection = load::connect(self.airlock.address()?).await?;
        let hello = self.target("initialize", &super::hello(), self.headers.clone())?;
        let (answered, _) = load::exchange(&mut connection, &hello, 0).await?;
        let session = answered.get("mcp-session-id").context("no session id")?;
        let request = match waiting {
            Waiting::Idle => None,
            Waiting::Session => {
                let mut request = self.request("GET", "")?;
                let headers = request.headers_mut();
                headers.insert("mcp-session-id", session.clone());
                headers.insert("mcp-protocol-version", "2025-11-25".parse()?);
                Some(request)
            }
            Waiting::Subscription => {
                let mut request = self.request("POST", &subscription().to_string())?;
                let headers = request.headers_mut();
                headers.insert("mcp-protocol-version", "2026-07-28".parse()?);
                headers.insert("mcp-method", "subscriptions/listen".parse()?);
                Some(request)
            }
        };
        let mut listener = Listener {
            connection,
            events: None,
        };
        if let Some(request) = request {
            let response = listener.connection.send_request(request).await?;
            ensure!(
                response.status() == StatusCode::OK,
                "a listener was refused: {}",
                response.status()
            );
            listener.events = Some(response.into_body());
            listener.sign().await?;
        }
        Ok(listener)
    }

    fn request(&self, method: &str, body: &str) -> anyhow::Result<Request<Full<Bytes>>> {
        let mut request = Request::builder()
            .method(method)
            .uri(self.airlock.url()?.path())
            .body(Full::from(body.to_owned()))?;
        *request.headers_mut() = self.headers.clone();
        Ok(request)
    }
}

fn subscription() -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": {
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        },
        "notifications": {
            "toolsListChanged": true,
            "promptsListChanged": true,
            "resourcesListChanged": true,
        },
    }})
}
