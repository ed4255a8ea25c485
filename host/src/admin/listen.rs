//! The admin API's listener.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

use super::routes;
use crate::metrics;
use crate::ops::{Operations, Reply};

/// Bytes of one request: the largest component, in Base64, and its wrapping.
const MAX_BODY: usize = airlock_registry::bounds::MAX_COMPONENT / 3 * 4 + (64 << 10);

const JSON: &str = "application/json";

/// Opens the socket. Whoever holds the home's lock may: a socket that is there already is a dead server's.
///
/// # Errors
/// When it cannot be made.
pub fn bind(path: &Path) -> std::io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves the API until `stop`.
pub async fn serve(listener: UnixListener, operations: Arc<Operations>, stop: CancellationToken) {
    loop {
        let stream = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "the admin socket could not accept");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let operations = Arc::clone(&operations);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let operations = Arc::clone(&operations);
                async move { Ok::<_, std::convert::Infallible>(answer(&operations, request).await) }
            });
            if let Err(error) = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await
            {
                tracing::debug!(%error, "an admin connection ended early");
            }
        });
    }
}

async fn answer(operations: &Operations, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => Vec::from(body.to_bytes()),
        Err(error) => return failed(StatusCode::PAYLOAD_TOO_LARGE, &error.to_string()),
    };
    let operation =
        match routes::operation(&parts.method, parts.uri.path(), parts.uri.query(), body) {
            Ok(operation) => operation,
            Err(error) => return failed(error.status(), &error.to_string()),
        };
    match operations.execute(operation).await {
        Ok(Reply::Metrics { metrics }) => respond(StatusCode::OK, metrics::CONTENT_TYPE, metrics),
        Ok(reply) => match serde_json::to_vec(&reply) {
            Ok(json) => respond(StatusCode::OK, JSON, json),
            Err(error) => failed(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        },
        Err(error) => failed(error.status(), &error.to_string()),
    }
}

fn failed(status: StatusCode, words: &str) -> Response<Full<Bytes>> {
    respond(
        status,
        JSON,
        serde_json::json!({"error": words}).to_string(),
    )
}

fn respond(
    status: StatusCode,
    kind: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
