//! hyper and nothing else: the least that a server, and that a proxy, can cost.

use std::future::Future;
use std::net::Ipv4Addr;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

use super::{Canned, Ready, Started, Upstream};

pub(super) async fn start(answer: Canned) -> Started {
    let answer = Answer::new(answer)?;
    listen(move |request: Request<Incoming>| {
        let answer = answer.clone();
        async move {
            request.into_body().collect().await?;
            anyhow::Ok(answer.response())
        }
    })
    .await
}

pub(super) async fn start_proxy(
    answer: Canned,
    upstream: Upstream,
    close: bool,
    run: String,
) -> Started {
    let answer = Answer::new(answer)?;
    let mut http = HttpConnector::new();
    http.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).build::<_, Full<Bytes>>(http);
    let uri: Uri = format!("{}/completion-messages", upstream.url).parse()?;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(AUTHORIZATION, format!("Bearer {}", upstream.key).parse()?);
    if close {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let run = Bytes::from(run);
    listen(move |request: Request<Incoming>| {
        let (answer, client, uri) = (answer.clone(), client.clone(), uri.clone());
        let (headers, run) = (headers.clone(), run.clone());
        async move {
            request.into_body().collect().await?;
            let mut asked = Request::post(uri).body(Full::new(run))?;
            *asked.headers_mut() = headers;
            let response = client.request(asked).await?;
            anyhow::ensure!(response.status().is_success(), "{}", response.status());
            response.into_body().collect().await?;
            anyhow::Ok(answer.response())
        }
    })
    .await
}

#[derive(Clone)]
struct Answer {
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn new(canned: Canned) -> anyhow::Result<Self> {
        let mut headers = HeaderMap::new();
        for (name, value) in &canned.headers {
            headers.insert(name.parse::<HeaderName>()?, value.parse()?);
        }
        Ok(Self {
            headers,
            body: canned.body.into(),
        })
    }

    fn response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body));
        *response.headers_mut() = self.headers;
        response
    }
}

/// Serves every connection until the process ends. A request that fails ends its connection, and with it the benchmark.
async fn listen<H, F>(handle: H) -> Started
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = anyhow::Result<Response<Full<Bytes>>>> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}/", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Refused only by a connection that is gone already.
            let _ = stream.set_nodelay(true);
            let connection = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(handle.clone()));
            tokio::spawn(connection);
        }
    });
    Ok((Ready::at(url), Box::new(())))
}
