//! Connections.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::boxed::boxed;
use super::door::Door;
use super::timer::ConnectionTimer;
use crate::wakes::Repolls;

/// How long a client may take to send its headers.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);
/// Bytes of headers, and of what is read ahead of a body.
const READ_AHEAD: usize = 64 << 10;
/// Pause after a failed accept: the process is out of file descriptors, and asking again at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `listener` until `stop`; then lets what runs come to its end within `grace`. It holds so many connections at one
/// time, idle ones and open streams included; more wait unaccepted.
pub async fn accept(
    listener: TcpListener,
    connections: usize,
    door: Arc<Door>,
    stop: CancellationToken,
    grace: Duration,
) {
    let slots = Arc::new(Semaphore::new(connections));
    let connections = GracefulShutdown::new();
    let mut http = hyper::server::conn::http1::Builder::new();
    http.header_read_timeout(HEADERS_WITHIN)
        .max_buf_size(READ_AHEAD);
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = next(&listener, &slots) => accepted,
        };
        let (stream, slot) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Answers are small and whole: waiting to fill a packet would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY was refused");
        }
        let door = Arc::clone(&door);
        let repolls = Arc::new(Repolls::new());
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let (answer, repolls) = (boxed(door.answer(request)), Arc::clone(&repolls));
            async move { Ok::<_, Infallible>(repolls.run(answer).await) }
        });
        let connection = http
            .timer(ConnectionTimer::default())
            .serve_connection(TokioIo::new(stream), service);
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            // A client that breaks off, or sends no HTTP, is its own affair.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(slot);
        });
    }
    drop(listener);
    drain(connections, grace).await;
}

async fn next(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> std::io::Result<(tokio::net::TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots)
        .acquire_owned()
        .await
        .map_err(std::io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, slot))
}

/// Waits until every connection has ended, at most for `grace`.
pub async fn drain(connections: GracefulShutdown, grace: Duration) {
    if tokio::time::timeout(grace, connections.shutdown())
        .await
        .is_err()
    {
        tracing::warn!(
            ?grace,
            "calls were still running after the grace period, and were ended"
        );
    }
}
