//! MCP over plain HTTP, one request at a time.

use anyhow::Context;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

/// A request to an address.
#[derive(Clone)]
pub struct Post {
    url: http::Uri,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    method: http::Method,
}

/// A connection that carries one request after the other.
pub struct Connection(SendRequest<Full<Bytes>>);

/// What came back, with its body still to be read.
pub struct Posted {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    body: Incoming,
    buffer: Vec<u8>,
}

impl Post {
    /// A request to `url`, with the headers that every client sends.
    ///
    /// # Panics
    /// When `url` is no URL.
    #[must_use]
    pub fn to(url: &str) -> Self {
        Self {
            url: url.parse().expect("an address is a URL"),
            headers: vec![
                ("content-type".into(), "application/json".into()),
                (
                    "accept".into(),
                    "application/json, text/event-stream".into(),
                ),
            ],
            body: Vec::new(),
            method: http::Method::POST,
        }
    }

    /// With this header, in place of one of the same name.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.into(), value.into()));
        self
    }

    /// With this body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// With this method.
    #[must_use]
    pub fn method(mut self, method: http::Method) -> Self {
        self.method = method;
        self
    }

    /// A JSON-RPC request with id 1.
    #[must_use]
    pub fn rpc(self, method: &str, params: Value) -> Self {
        self.body(
            json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string(),
        )
    }

    /// A JSON-RPC notification.
    #[must_use]
    pub fn notify(self, method: &str, params: Value) -> Self {
        self.body(json!({"jsonrpc": "2.0", "method": method, "params": params}).to_string())
    }

    /// `tools/call`, as 2025-11-25 has it.
    #[must_use]
    pub fn call(self, tool: &str, arguments: Value) -> Self {
        self.header("mcp-protocol-version", "2025-11-25").rpc(
            "tools/call",
            json!({"name": tool, "arguments": arguments, "_meta": {"progressToken": "p"}}),
        )
    }

    /// `initialize`, as a client of 2025-11-25 sends it.
    #[must_use]
    pub fn initialize(self) -> Self {
        self.rpc(
            "initialize",
            json!({
                "protocolVersion": "2025-11-25", "capabilities": {},
                "clientInfo": {"name": "airlock-tests", "version": "1"},
            }),
        )
    }

    /// In this session.
    #[must_use]
    pub fn session(self, id: &str) -> Self {
        self.header("mcp-session-id", id)
            .header("mcp-protocol-version", "2025-11-25")
    }

    /// Opens a connection to where the request goes.
    ///
    /// # Errors
    /// When nobody listens there.
    pub async fn connect(&self) -> anyhow::Result<Connection> {
        let port = self.url.port_u16().context("a URL with a port")?;
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let (send, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Connection(send))
    }

    /// Sends it on a connection of its own, and waits for the head of the answer.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn send(self) -> anyhow::Result<Posted> {
        let mut connection = self.connect().await?;
        self.send_on(&mut connection).await
    }

    /// Sends it on an open connection, and waits for the head of the answer.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn send_on(self, connection: &mut Connection) -> anyhow::Result<Posted> {
        let authority = self.url.authority().context("a URL with a host")?.clone();
        let path = self.url.path_and_query().context("a URL with a path")?;
        let mut request = Request::builder().method(self.method).uri(path.as_str());
        if !self.headers.iter().any(|(name, _)| name == "host") {
            request = request.header("host", authority.as_str());
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        connection.0.ready().await?;
        let response = connection
            .0
            .send_request(request.body(Full::new(Bytes::from(self.body)))?)
            .await?;
        let (parts, body) = response.into_parts();
        Ok(Posted {
            status: parts.status,
            headers: parts.headers,
            body,
            buffer: Vec::new(),
        })
    }
}

/// Opens a session at an address. Its id.
///
/// # Errors
/// When the server gives none.
pub async fn open_session(url: &str) -> anyhow::Result<String> {
    let posted = Post::to(url).initialize().send().await?;
    let id = posted
        .headers
        .get("mcp-session-id")
        .with_context(|| format!("no session id with status {}", posted.status))?;
    Ok(id.to_str()?.to_owned())
}

impl Posted {
    /// Is the answer a stream of events?
    #[must_use]
    pub fn streams(&self) -> bool {
        self.headers
            .get("content-type")
            .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
    }

    /// The next message of a stream; `None` at its end. Comments are passed over.
    ///
    /// # Errors
    /// When the connection breaks, or a message is no JSON.
    pub async fn next(&mut self) -> anyhow::Result<Option<Value>> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                let event: Vec<u8> = self.buffer.drain(..end + 2).collect();
                let text = String::from_utf8(event)?;
                if let Some(data) = text.lines().find_map(|line| line.strip_prefix("data:")) {
                    return Ok(Some(serde_json::from_str(data.trim())?));
                }
                continue;
            }
            match self.body.frame().await {
                Some(frame) => {
                    if let Ok(data) = frame?.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
                None => return Ok(None),
            }
        }
    }

    /// The rest of the body.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn bytes(mut self) -> anyhow::Result<Vec<u8>> {
        self.buffer
            .extend_from_slice(&self.body.collect().await?.to_bytes());
        Ok(self.buffer)
    }

    /// The JSON-RPC response: the whole body, or the last message of the stream.
    ///
    /// # Errors
    /// When there is none.
    pub async fn response(mut self) -> anyhow::Result<Value> {
        if !self.streams() {
            return Ok(serde_json::from_slice(&self.bytes().await?)?);
        }
        let mut last = None;
        while let Some(message) = self.next().await? {
            last = Some(message);
        }
        last.context("the stream ended without a message")
    }

    /// The text of a tool's answer, and whether it is an error.
    ///
    /// # Errors
    /// When the answer is no tool result.
    pub async fn tool_text(self) -> anyhow::Result<(String, bool)> {
        let response = self.response().await?;
        let result = response
            .get("result")
            .with_context(|| format!("not a result: {response}"))?;
        let texts: Vec<&str> = result["content"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|block| block["text"].as_str())
            .collect();
        Ok((
            texts.join("\n"),
            result["isError"].as_bool().unwrap_or_default(),
        ))
    }
}
