//! `airlock stdio URL`: for clients that start a process and speak MCP over its standard input and output.
//!
//! Each line that comes in is posted to the address; each message that comes back, in a body or on a stream, goes out
//! as a line (2025-11-25 transports, "stdio").

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, bail};
use bytes::{Buf, Bytes, BytesMut};
use futures_util::StreamExt;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio_util::codec::{FramedRead, LinesCodec};
use tokio_util::task::TaskTracker;

/// Bytes of one message, either way.
const MAX_MESSAGE: usize = 16 << 20;
/// Messages that wait to be written.
const WAITING: usize = 64;

/// Bridges until standard input ends; then waits for the answers that are still to come.
///
/// # Errors
/// When the address is none, or standard input or output breaks.
pub async fn bridge(url: &str) -> anyhow::Result<()> {
    let (to, mut from) = mpsc::channel::<String>(WAITING);
    let bridge = Arc::new(Bridge::new(url, to)?);
    let writer = tokio::spawn(async move {
        let mut out = tokio::io::stdout();
        while let Some(mut line) = from.recv().await {
            line.push('\n');
            out.write_all(line.as_bytes()).await?;
            out.flush().await?;
        }
        Ok::<_, std::io::Error>(())
    });
    let mut lines = FramedRead::new(
        tokio::io::stdin(),
        LinesCodec::new_with_max_length(MAX_MESSAGE),
    );
    let posts = TaskTracker::new();
    while let Some(line) = lines.next().await {
        let line = line.context("standard input broke off")?;
        if line.trim().is_empty() {
            continue;
        }
        let message = Message::read(line);
        if message.opens {
            // What follows needs the session that this begins.
            bridge.post(message).await;
        } else {
            let bridge = Arc::clone(&bridge);
            posts.spawn(async move { bridge.post(message).await });
        }
    }
    posts.close();
    posts.wait().await;
    bridge.end_session().await;
    drop(bridge);
    writer.await?.context("standard output broke off")
}

/// A message from the client, and what the bridge has to know of it.
struct Message {
    text: String,
    /// Its id, if it wants an answer.
    id: Option<Value>,
    /// Is it `initialize`?
    opens: bool,
}

impl Message {
    fn read(text: String) -> Self {
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        let method = value.get("method").and_then(Value::as_str);
        Self {
            id: method.and_then(|_| value.get("id").cloned()),
            opens: method == Some("initialize"),
            text,
        }
    }
}

/// What `initialize` settled.
#[derive(Clone, Default)]
struct Session {
    id: Option<HeaderValue>,
    version: Option<HeaderValue>,
}

struct Bridge {
    url: Uri,
    http: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    session: Mutex<Session>,
    out: mpsc::Sender<String>,
}

impl Bridge {
    fn new(url: &str, out: mpsc::Sender<String>) -> anyhow::Result<Self> {
        // The text is a credential: the error must not repeat it.
        let Ok(url) = url.trim().parse::<Uri>() else {
            bail!("the address is no URL")
        };
        if !matches!(url.scheme_str(), Some("http" | "https")) {
            bail!("the address must begin with http:// or https://");
        }
        let connector = HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self {
            url,
            http: Client::builder(TokioExecutor::new()).build(connector),
            session: Mutex::default(),
            out,
        })
    }

    fn session(&self) -> std::sync::MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn request(&self, method: Method, body: Bytes) -> Result<Request<Full<Bytes>>, http::Error> {
        let mut request = Request::builder()
            .method(method)
            .uri(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json, text/event-stream")
            .body(Full::new(body))?;
        let session = self.session().clone();
        let known = [
            ("mcp-session-id", session.id),
            ("mcp-protocol-version", session.version),
        ];
        for (name, value) in known {
            if let Some(value) = value {
                request.headers_mut().insert(name, value);
            }
        }
        Ok(request)
    }

    /// Posts one message. Whatever goes wrong becomes an answer to it, so that the client does not wait for ever.
    async fn post(&self, message: Message) {
        let Message { text, id, opens } = message;
        if let Err(error) = self.exchange(text, opens).await
            && let Some(id) = id
        {
            let error = json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32603, "message": format!("{error:#}")}});
            self.emit(error.to_string()).await;
        }
    }

    async fn exchange(&self, text: String, opens: bool) -> anyhow::Result<()> {
        let request = self.request(Method::POST, Bytes::from(text))?;
        let response = self.http.request(request).await.map_err(|error| {
            // The error's own text holds the host; its cause is what helps.
            anyhow::anyhow!("the server cannot be reached: {}", root(&error))
        })?;
        if opens && let Some(id) = response.headers().get("mcp-session-id") {
            self.session().id = Some(id.clone());
        }
        let kind = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or_default();
        match response.status() {
            StatusCode::ACCEPTED => Ok(()),
            StatusCode::NOT_FOUND => {
                bail!("this address is not valid (any more): ask the operator for the current one")
            }
            status if kind.starts_with("text/event-stream") && status.is_success() => {
                self.events(response, opens).await
            }
            status if kind.starts_with("application/json") => {
                let body = Limited::new(response.into_body(), MAX_MESSAGE)
                    .collect()
                    .await
                    .map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))?
                    .to_bytes();
                if !status.is_success()
                    && serde_json::from_slice::<Value>(&body)
                        .is_ok_and(|v| v.get("id").is_none_or(Value::is_null))
                {
                    bail!(
                        "the server answered {status}: {}",
                        String::from_utf8_lossy(&body)
                    );
                }
                self.deliver(&body, opens).await
            }
            status => bail!("the server answered {status}"),
        }
    }

    /// Reads an event stream (WHATWG HTML, "server-sent events"): only `data` matters here.
    async fn events(&self, response: Response<Incoming>, opens: bool) -> anyhow::Result<()> {
        let mut body = response.into_body();
        let (mut buffer, mut data) = (BytesMut::new(), Vec::new());
        while let Some(frame) = body.frame().await {
            let Ok(bytes) = frame.context("the answer broke off")?.into_data() else {
                continue;
            };
            buffer.extend_from_slice(&bytes);
            while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
                let line = buffer.split_to(end);
                buffer.advance(1);
                let line = line.strip_suffix(b"\r").unwrap_or(&line);
                if let Some(rest) = line.strip_prefix(b"data:") {
                    data.extend_from_slice(rest.strip_prefix(b" ").unwrap_or(rest));
                } else if line.is_empty() && !data.is_empty() {
                    self.deliver(&std::mem::take(&mut data), opens).await?;
                }
            }
            if buffer.len() + data.len() > MAX_MESSAGE {
                bail!("the server sent a message of more than {MAX_MESSAGE} bytes");
            }
        }
        Ok(())
    }

    /// Hands a message to the client, on one line.
    async fn deliver(&self, json: &[u8], opens: bool) -> anyhow::Result<()> {
        let message: Value =
            serde_json::from_slice(json).context("the server sent something that is not JSON")?;
        if opens
            && let Some(version) = message
                .pointer("/result/protocolVersion")
                .and_then(Value::as_str)
        {
            self.session().version = HeaderValue::from_str(version).ok();
        }
        self.emit(message.to_string()).await;
        Ok(())
    }

    async fn emit(&self, line: String) {
        // The writer ends only with standard output; there is nobody left to tell then.
        let _ = self.out.send(line).await;
    }

    async fn end_session(&self) {
        if self.session().id.is_none() {
            return;
        }
        if let Ok(request) = self.request(Method::DELETE, Bytes::new()) {
            let _ = self.http.request(request).await;
        }
    }
}

fn root(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
