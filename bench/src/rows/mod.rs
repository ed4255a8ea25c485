//! What is measured: one file for each table.

pub(crate) mod apps;
pub(crate) mod call;
pub(crate) mod guest;
pub(crate) mod latency;
pub(crate) mod list;
pub(crate) mod listeners;
pub(crate) mod memory;
pub(crate) mod progress;
pub(crate) mod soak;
pub(crate) mod start;
pub(crate) mod stream;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use http::header::{
    ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, DATE, HOST, HeaderMap, HeaderName, HeaderValue,
};
use serde_json::{Value, json};

use crate::load::{self, Target};
use crate::servers::{Airlock, Apps, Bounds, Canned, Dify, Guests, Role, Server};

const CONNECTIONS: &[usize] = &[1, 8, 32];

/// Airlock beside a stand-in, and a client's session there.
pub(crate) struct World {
    pub(crate) dify: Server,
    pub(crate) airlock: Server,
    /// What every client sends.
    headers: HeaderMap,
    session: HeaderValue,
}

/// Which protocol a request belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Era {
    /// 2025-11-25, in a session.
    Session,
    /// 2026-07-28, where each request says all.
    Stateless,
}

/// What a world is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    /// How many apps are published, all of this kind.
    pub(crate) apps: usize,
    pub(crate) kind: Apps,
    pub(crate) guests: Guests,
    pub(crate) bounds: Bounds,
    /// Connections that the stand-in takes.
    pub(crate) connections: usize,
    /// Does the stand-in leave every call waiting?
    pub(crate) silent: bool,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            apps: 1,
            kind: Apps::Blurb,
            guests: Guests::BuiltIn,
            bounds: Bounds::Lifted,
            connections: 256,
            silent: false,
        }
    }
}

impl World {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        Self::of(Setting::default()).await
    }

    pub(crate) async fn of(setting: Setting) -> anyhow::Result<Self> {
        let dify = Server::start(&Role::Dify(Dify {
            apps: setting.kind,
            keys: setting.apps,
            connections: setting.connections,
            silent: setting.silent,
        }))?;
        let airlock = Server::start(&Role::Airlock(Airlock {
            dify: dify.url()?.to_string(),
            home: None,
            publish: dify.keys.clone(),
            guests: setting.guests,
            bounds: setting.bounds,
        }))?;
        Self::beside(dify, airlock).await
    }

    /// Two servers that run.
    pub(crate) async fn beside(dify: Server, airlock: Server) -> anyhow::Result<Self> {
        let authority = airlock
            .url()?
            .authority()
            .context("an address has a host")?;
        let mut headers = HeaderMap::new();
        headers.insert(HOST, authority.as_str().parse()?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(
            ACCEPT,
            HeaderValue::from_static("application/json, text/event-stream"),
        );
        let mut world = Self {
            dify,
            airlock,
            headers,
            session: HeaderValue::from_static(""),
        };
        let hello = world.target("initialize", &hello(), world.headers.clone())?;
        let (answered, _) = load::once(&hello).await?;
        let session = answered.get("mcp-session-id").context("no session id")?;
        world.session = session.clone();
        Ok(world)
    }

    /// A request to each app in turn, whose answer is not known yet.
    fn target(&self, method: &str, params: &Value, headers: HeaderMap) -> anyhow::Result<Target> {
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let paths = self.airlock.urls.iter().map(|url| url.path().to_owned());
        Ok(Target {
            address: self.airlock.address()?,
            paths: paths.collect(),
            headers,
            body: message.to_string().into(),
            expected: Bytes::new(),
        })
    }

    /// How long one request to another server takes, on a connection of its own.
    pub(crate) async fn once_at(
        &self,
        server: &Server,
        path: &str,
        era: Era,
        method: &'static str,
        params: &Value,
    ) -> anyhow::Result<Duration> {
        let (headers, params) = self.request_of(era, method, params);
        let target = Target {
            address: server.address()?,
            paths: [path.to_owned()].into(),
            ..self.target(method, &params, headers)?
        };
        let began = Instant::now();
        let (_, body) = load::once(&target).await?;
        let took = began.elapsed();
        let answer: Value = serde_json::from_slice(&body)?;
        ensure!(
            answer["result"]["isError"] != true && answer.get("error").is_none(),
            "{answer}"
        );
        Ok(took)
    }

    /// A request of `era`, once answered: the answer is what every later one must be, and what a bare server should send.
    pub(crate) async fn answered(
        &self,
        era: Era,
        method: &'static str,
        params: &Value,
    ) -> anyhow::Result<(Target, Canned)> {
        let (headers, params) = self.request_of(era, method, params);
        let mut target = self.target(method, &params, headers)?;
        let (headers, body) = load::once(&target).await?;
        let text = String::from_utf8(body.to_vec())?;
        target.expected = body;
        let mut canned = Canned {
            headers: Vec::new(),
            body: text,
        };
        for (name, value) in &headers {
            // hyper adds these two by itself.
            if name != DATE && name != CONTENT_LENGTH {
                let value = value.to_str()?.to_owned();
                canned.headers.push((name.to_string(), value));
            }
        }
        Ok((target, canned))
    }

    /// What a client of `era` sends.
    fn request_of(&self, era: Era, method: &'static str, params: &Value) -> (HeaderMap, Value) {
        let mut headers = self.headers.clone();
        let mut params = params.clone();
        let version = match era {
            Era::Session => {
                headers.insert("mcp-session-id", self.session.clone());
                "2025-11-25"
            }
            Era::Stateless => {
                headers.insert("mcp-method", HeaderValue::from_static(method));
                let name = params["name"].as_str().and_then(|name| name.parse().ok());
                headers.extend(name.map(|name| (HeaderName::from_static("mcp-name"), name)));
                params["_meta"] = json!({
                    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "0"},
                    "io.modelcontextprotocol/clientCapabilities": {},
                });
                "2026-07-28"
            }
        };
        headers.insert("mcp-protocol-version", HeaderValue::from_static(version));
        (headers, params)
    }
}

fn hello() -> Value {
    json!({
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "bench", "version": "0"},
    })
}

/// The same load for another server.
fn redirected(target: &Target, server: &Server) -> anyhow::Result<Arc<Target>> {
    Ok(Arc::new(Target {
        address: server.address()?,
        ..target.clone()
    }))
}
