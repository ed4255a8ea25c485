//! What is measured: one file for each table.

pub(crate) mod call;
pub(crate) mod guest;
pub(crate) mod list;
pub(crate) mod stream;

use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, DATE, HOST, HeaderMap, HeaderValue};
use serde_json::{Value, json};

use crate::load::{self, Target};
use crate::servers::{Canned, Role, Server, Upstream};

const CONNECTIONS: &[usize] = &[1, 8, 32];

/// Airlock beside a stand-in, and a client's session there.
pub(crate) struct World {
    pub(crate) dify: Server,
    pub(crate) airlock: Server,
    /// What a client of 2025-11-25 sends with each request.
    headers: HeaderMap,
}

impl World {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let dify = Server::start(&Role::Dify)?;
        let upstream = Upstream {
            url: dify.url.to_string(),
            key: dify.key.clone(),
        };
        let airlock = Server::start(&Role::Airlock(upstream))?;
        let authority = airlock.url.authority().context("an address has a host")?;
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
        };
        let hello = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "bench", "version": "0"},
        });
        let (answered, _) = load::once(&world.target("initialize", &hello)?).await?;
        let session = answered.get("mcp-session-id").context("no session id")?;
        world.headers.insert("mcp-session-id", session.clone());
        let version = HeaderValue::from_static("2025-11-25");
        world.headers.insert("mcp-protocol-version", version);
        Ok(world)
    }

    pub(crate) fn upstream(&self) -> Upstream {
        Upstream {
            url: self.dify.url.to_string(),
            key: self.dify.key.clone(),
        }
    }

    /// A request of this session; its answer is not known yet.
    fn target(&self, method: &str, params: &Value) -> anyhow::Result<Target> {
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        Ok(Target {
            address: self.airlock.address()?,
            path: self.airlock.url.path().to_owned(),
            headers: self.headers.clone(),
            body: message.to_string().into(),
            expected: Bytes::new(),
        })
    }

    /// The same, once answered: the answer is what every later one must be, and what a bare server should send.
    pub(crate) async fn answered(
        &self,
        method: &str,
        params: &Value,
    ) -> anyhow::Result<(Target, Canned)> {
        let mut target = self.target(method, params)?;
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
}

/// The same load for another server.
fn redirected(target: &Target, server: &Server) -> anyhow::Result<Arc<Target>> {
    Ok(Arc::new(Target {
        address: server.address()?,
        ..target.clone()
    }))
}
