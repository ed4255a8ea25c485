//! A raw HTTP client that reads event by event.

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::{SampleApp, StandIn};

/// One connection.
pub(super) struct Client(SendRequest<Full<Bytes>>);

/// An answer whose body is yet to be read.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    body: Incoming,
    /// What has arrived of the next event.
    pending: String,
    // The connection lives as long as the reply.
    _client: Client,
}

impl Client {
    pub(super) async fn connect(stand_in: &StandIn) -> std::io::Result<Self> {
        let url = stand_in.url();
        let address = url.trim_start_matches("http://").trim_end_matches("/v1");
        let io = TokioIo::new(TcpStream::connect(address).await?);
        let (sender, connection) = handshake(io).await.map_err(std::io::Error::other)?;
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    pub(super) async fn send(mut self, request: Request<Full<Bytes>>) -> hyper::Result<Reply> {
        let (head, body) = self.0.send_request(request).await?.into_parts();
        Ok(Reply {
            status: head.status,
            headers: head.headers,
            body,
            pending: String::new(),
            _client: self,
        })
    }
}

impl Reply {
    /// The next event as it is on the wire, or what is left at the end; nothing after that. Frames are no events:
    /// hyper cuts them where its read buffer ends.
    pub(super) async fn chunk(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.pending.find("\n\n") {
                let rest = self.pending.split_off(end + 2);
                return Some(std::mem::replace(&mut self.pending, rest));
            }
            let Some(frame) = self.body.frame().await else {
                let rest = std::mem::take(&mut self.pending);
                return (!rest.is_empty()).then_some(rest);
            };
            // The texts of these tests are ASCII, so no frame ends within a character.
            self.pending += std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap();
        }
    }

    /// The JSON of the next event that is no ping.
    pub(super) async fn event(&mut self) -> Option<Value> {
        loop {
            let chunk = self.chunk().await?;
            if chunk != "event: ping\n\n" {
                return Some(data(&chunk));
            }
        }
    }

    /// Every event as it is on the wire, until the end.
    pub(super) async fn chunks(mut self) -> Vec<String> {
        let mut chunks = Vec::new();
        while let Some(chunk) = self.chunk().await {
            chunks.push(chunk);
        }
        chunks
    }

    /// Every event but pings until the end.
    pub(super) async fn events(self) -> Vec<Value> {
        let chunks = self.chunks().await;
        chunks
            .iter()
            .filter(|chunk| *chunk != "event: ping\n\n")
            .map(|chunk| data(chunk))
            .collect()
    }

    pub(super) async fn text(self) -> String {
        self.chunks().await.concat()
    }

    pub(super) async fn json(self) -> Value {
        serde_json::from_str(&self.text().await).unwrap()
    }
}

/// The JSON of one event.
fn data(chunk: &str) -> Value {
    let json = chunk
        .strip_prefix("data: ")
        .and_then(|rest| rest.strip_suffix("\n\n"));
    serde_json::from_str(json.unwrap_or_else(|| panic!("not one event: {chunk:?}"))).unwrap()
}

/// A request with the app's key.
pub(super) fn request(
    stand_in: &StandIn,
    app: SampleApp,
    method: &str,
    path: &str,
    body: &Value,
) -> Request<Full<Bytes>> {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    Request::builder()
        .method(method)
        .uri(path)
        .header("host", "127.0.0.1")
        .header("authorization", format!("Bearer {}", stand_in.key(app)))
        .header("content-type", "application/json")
        .body(Full::from(body))
        .unwrap()
}

pub(super) async fn post(stand_in: &StandIn, app: SampleApp, path: &str, body: &Value) -> Reply {
    let request = request(stand_in, app, "POST", path, body);
    Client::connect(stand_in)
        .await
        .unwrap()
        .send(request)
        .await
        .unwrap()
}

pub(super) async fn get(stand_in: &StandIn, app: SampleApp, path: &str) -> Reply {
    let request = request(stand_in, app, "GET", path, &Value::Null);
    Client::connect(stand_in)
        .await
        .unwrap()
        .send(request)
        .await
        .unwrap()
}
