//! The CLI's side of the admin API.

use std::path::Path;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::UnixStream;

use super::routes;
use crate::metrics;
use crate::ops::{Operation, Reply};

/// Bytes of a reply: ten thousand apps with their tools.
const MAX_REPLY: usize = 256 << 20;

/// Asks the server behind `socket`. `Ok(Err(operation))` gives the operation back when no server is there.
///
/// # Errors
/// The server's own words, or how the exchange failed.
pub async fn ask(socket: &Path, operation: Operation) -> anyhow::Result<Result<Reply, Operation>> {
    let stream = match UnixStream::connect(socket).await {
        Ok(stream) => stream,
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Ok(Err(operation));
        }
        Err(error) => {
            return Err(error).with_context(|| format!("cannot open {}", socket.display()));
        }
    };
    let asked = routes::request(operation);
    let (mut send, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = http::Request::builder()
        .method(asked.method)
        .uri(asked.path)
        .header("host", "airlock")
        .body(Full::new(Bytes::from(asked.body)))?;
    let response = send
        .send_request(request)
        .await
        .context("the running server did not answer")?;
    let status = response.status();
    let kind = response.headers().get(CONTENT_TYPE);
    let is_metrics = kind.is_some_and(|kind| kind == metrics::CONTENT_TYPE);
    let body = Limited::new(response.into_body(), MAX_REPLY)
        .collect()
        .await
        .map_err(|error| anyhow::anyhow!("the running server's answer broke off: {error}"))?
        .to_bytes();
    if status.is_success() && is_metrics {
        return Ok(Ok(Reply::Metrics {
            metrics: String::from_utf8_lossy(&body).into_owned(),
        }));
    }
    if status.is_success() {
        return Ok(Ok(serde_json::from_slice(&body).context(
            "the running server is of another version: restart it",
        )?));
    }
    #[derive(Deserialize)]
    struct Failed {
        error: String,
    }
    match serde_json::from_slice::<Failed>(&body) {
        Ok(failed) => bail!("{}", failed.error),
        Err(_) => bail!("the running server answered {status}"),
    }
}
