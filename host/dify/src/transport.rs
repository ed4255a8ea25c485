//! HTTP towards Dify: one small pool of connections, no redirects, every wait and every body bounded.

use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER,
};
use http::{HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::timeout;

use crate::circuit::{Circuit, Pass};
use crate::download::{Download, NoDownload};
use crate::pieces::Pieces;
use crate::stream::{self, NoAnswer, Opening, Stream};
use crate::text::prefix;
use crate::{AppKey, BaseError, Bound, Config, Error, Ids, Wait, config, refusal};

/// Idle connections count among Dify's 10, so few are kept, and for less than the 2 s after which its gunicorn closes
/// them itself: a request sent into that closing would be lost.
const IDLE_CONNECTIONS: usize = 2;
const IDLE_FOR: Duration = Duration::from_secs(1);
/// Most bytes of a refusal's body that are read; Dify's are a sentence.
const REFUSAL_CAP: usize = 64 << 10;
/// Most bytes of a body that is not JSON that are kept for the log.
const LOGGED: usize = 300;

/// The way to one Dify.
#[derive(Debug)]
pub(crate) struct Transport {
    client: Client<HttpsConnector<HttpConnector>, Pieces>,
    /// Makes the connections of streams, which go past the client's pool.
    connector: HttpsConnector<HttpConnector>,
    base: String,
    read_timeout: Duration,
    body_cap: usize,
    circuit: Circuit,
}

/// A body and its media type.
pub(crate) struct Content {
    pub(crate) kind: String,
    pub(crate) body: Pieces,
}

impl Content {
    fn json(body: Bytes) -> Self {
        Self {
            kind: "application/json".to_owned(),
            body: body.into(),
        }
    }
}

/// An answer that says it is JSON.
pub(crate) struct Reply {
    pub(crate) headers: HeaderMap,
    url: String,
    body: Bytes,
}

impl Reply {
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| Error::NotDify {
            url: self.url.clone(),
            what: format!("JSON that cannot be read: {error}"),
        })
    }
}

impl Transport {
    pub(crate) fn new(config: &Config) -> Result<Self, BaseError> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(config.connect_timeout));
        let connector = HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_FOR)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .build(connector.clone());
        let base = config::normal(config.base.clone())?.to_string();
        Ok(Self {
            client,
            connector,
            base,
            read_timeout: config.read_timeout,
            body_cap: config.event_cap,
            circuit: Circuit::new(config.dead_after, config.dead_pause),
        })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Refuses what would be sent to a Dify that is known to be dead.
    pub(crate) fn refuse_while_dead(&self) -> Result<(), Error> {
        match self.circuit.pass() {
            Pass::Open(retry_after) => Err(Error::Dead { retry_after }),
            Pass::Closed | Pass::Probe(_) => Ok(()),
        }
    }

    /// The same; where it is time to try again, a read finds out whether Dify is back, since reading changes nothing.
    pub(crate) async fn find_out(&self, key: &AppKey) -> Result<(), Error> {
        match self.circuit.pass() {
            Pass::Closed => Ok(()),
            Pass::Open(retry_after) => Err(Error::Dead { retry_after }),
            Pass::Probe(_probe) => match Box::pin(self.get(key, "/info")).await {
                Err(error) if is_silence(&error) => Err(error),
                Ok(_) | Err(_) => Ok(()),
            },
        }
    }

    pub(crate) fn circuit(&self) -> &Circuit {
        &self.circuit
    }

    /// Reads JSON. Reading changes nothing, so a connection that failed is tried once more.
    pub(crate) async fn get(&self, key: &AppKey, path: &str) -> Result<Reply, Error> {
        let get = || self.exchange(key, Method::GET, path, Content::json(Bytes::new()));
        let mut reply = get().await;
        if let Err(Error::Unreachable { .. }) = reply {
            reply = get().await;
        }
        self.note(&reply);
        reply
    }

    /// Sends JSON, once.
    pub(crate) async fn post(
        &self,
        key: &AppKey,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Reply, Error> {
        self.send(key, path, Content::json(body.into())).await
    }

    /// Sends a body of any kind, once.
    pub(crate) async fn send(
        &self,
        key: &AppKey,
        path: &str,
        content: Content,
    ) -> Result<Reply, Error> {
        let reply = self.exchange(key, Method::POST, path, content).await;
        self.note(&reply);
        reply
    }

    /// Reads a file of `limit` bytes at most. Its address is signed: whoever has it needs no key.
    pub(crate) async fn file(&self, path: &str, limit: usize) -> Result<Download, NoDownload> {
        let base = self.base.strip_suffix("/v1").unwrap_or(&self.base);
        let request = Request::get(format!("{base}{path}"))
            .body(Pieces::default())
            .map_err(|_| NoDownload::Gone { status: 0 })?;
        let answer = async {
            let unreachable = |cause: String| {
                let url = format!("{base}/files/…");
                NoDownload::Failed(Error::Unreachable { url, cause })
            };
            let response = self.client.request(request).await;
            let (head, body) = response.map_err(|e| unreachable(chain(&e)))?.into_parts();
            match head.status.as_u16() {
                200 => {}
                status @ 500.. => {
                    let message = "for a file".to_owned();
                    return Err(NoDownload::Failed(Error::Server { status, message }));
                }
                status => return Err(NoDownload::Gone { status }),
            }
            let body = Limited::new(body, limit).collect().await;
            let body = body.map_err(|error| match error.downcast::<LengthLimitError>() {
                Ok(_) => NoDownload::TooLarge,
                Err(error) => unreachable(chain(&*error)),
            })?;
            let mime_type = media_type(&head.headers).to_ascii_lowercase();
            let bytes = body.to_bytes();
            Ok(Download { bytes, mime_type })
        };
        let silent = NoDownload::Failed(Error::Timeout {
            wait: Wait::Read,
            after: self.read_timeout,
            ids: Ids::default(),
        });
        timeout(self.read_timeout, answer)
            .await
            .unwrap_or(Err(silent))
    }

    /// Sends a request whose answer is a stream. Its connection is not to be used again, and Dify is told so.
    pub(crate) fn open(&self, key: &AppKey, method: Method, path: &str, body: Bytes) -> Opening {
        let mut request = self.request(key, method, path, Content::json(body));
        let uri = std::mem::take(request.uri_mut());
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        stream::open(self.connector.clone(), uri, request)
    }

    /// The stream of an answer, if it is one.
    pub(crate) async fn stream(
        &self,
        path: &str,
        response: Response<Stream>,
    ) -> Result<Stream, Error> {
        if response.status() == 200 && is(response.headers(), "text/event-stream") {
            return Ok(response.into_body());
        }
        Err(Box::pin(self.refusal(path, response)).await)
    }

    /// What became of a request that has no answer.
    pub(crate) fn lost(&self, path: &str, why: NoAnswer) -> Error {
        if !why.connected {
            self.circuit.failed();
            return Error::Unreachable {
                url: self.url(path),
                cause: why.cause,
            };
        }
        Error::Incomplete {
            cause: why.cause,
            ids: Ids::default(),
        }
    }

    fn note<T>(&self, reply: &Result<T, Error>) {
        match reply {
            Err(error) if is_silence(error) => self.circuit.failed(),
            Ok(_) | Err(_) => self.circuit.answered(),
        }
    }

    async fn exchange(
        &self,
        key: &AppKey,
        method: Method,
        path: &str,
        content: Content,
    ) -> Result<Reply, Error> {
        let answer = async {
            let unreachable = |cause: String| Error::Unreachable {
                url: self.url(path),
                cause,
            };
            let response = self
                .client
                .request(self.request(key, method, path, content))
                .await
                .map_err(|e| unreachable(chain(&e)))?;
            if !response.status().is_success() || !is(response.headers(), "application/json") {
                return Err(self.refusal(path, response).await);
            }
            let (head, body) = response.into_parts();
            let bytes = Limited::new(body, self.body_cap)
                .collect()
                .await
                .map_err(|error| match error.downcast::<LengthLimitError>() {
                    Ok(_) => Error::TooLarge {
                        bound: Bound::Body,
                        limit: self.body_cap,
                    },
                    Err(error) => unreachable(chain(&*error)),
                })?;
            Ok(Reply {
                headers: head.headers,
                url: self.url(path),
                body: bytes.to_bytes(),
            })
        };
        let wait = Error::Timeout {
            wait: Wait::Read,
            after: self.read_timeout,
            ids: Ids::default(),
        };
        timeout(self.read_timeout, answer)
            .await
            .unwrap_or(Err(wait))
    }

    fn request(
        &self,
        key: &AppKey,
        method: Method,
        path: &str,
        content: Content,
    ) -> Request<Pieces> {
        Request::builder()
            .method(method)
            .uri(self.url(path))
            .header(AUTHORIZATION, key.bearer())
            .header(CONTENT_TYPE, content.kind)
            .header(ACCEPT, "application/json")
            .body(content.body)
            .expect("a normal base and a path of plain characters make a URI")
    }

    /// The meaning of an answer that is not what was asked for.
    async fn refusal<B: Body>(&self, path: &str, response: Response<B>) -> Error
    where
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let url = self.url(path);
        let (head, body) = response.into_parts();
        let header = |name| {
            head.headers
                .get(name)
                .and_then(|value: &HeaderValue| value.to_str().ok())
        };
        let status = head.status.as_u16();
        if (300..400).contains(&status) {
            return refusal::of_response(
                &url,
                status,
                None,
                None,
                header(LOCATION).unwrap_or("nowhere"),
            );
        }
        let read = timeout(self.read_timeout, Limited::new(body, REFUSAL_CAP).collect()).await;
        let bytes = read
            .ok()
            .and_then(Result::ok)
            .map(|body| body.to_bytes())
            .unwrap_or_default();
        let kind = header(CONTENT_TYPE).unwrap_or("no content type");
        if head.status.is_success() {
            let what = format!("{kind} with status {status} where another type was expected");
            return Error::NotDify { url, what };
        }
        let json: Option<Value> = if is(&head.headers, "application/json") {
            serde_json::from_slice(&bytes).ok()
        } else {
            None
        };
        let retry_after = header(RETRY_AFTER)
            .and_then(|text| text.parse().ok())
            .map(Duration::from_secs);
        let text = String::from_utf8_lossy(&bytes);
        refusal::of_response(
            &url,
            status,
            retry_after,
            json.as_ref(),
            &format!("{kind}: {}", prefix(&text, LOGGED)),
        )
    }
}

/// Did nothing come back at all?
fn is_silence(error: &Error) -> bool {
    matches!(
        error,
        Error::Unreachable { .. }
            | Error::Timeout {
                wait: Wait::Read,
                ..
            }
    )
}

fn is(headers: &HeaderMap, kind: &str) -> bool {
    media_type(headers).eq_ignore_ascii_case(kind)
}

/// `Content-Type` without its parameters.
fn media_type(headers: &HeaderMap) -> &str {
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let media_type = content_type.unwrap_or_default().split(';').next();
    media_type.unwrap_or_default().trim()
}

/// An error with its causes: the outermost one of hyper's says little.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
