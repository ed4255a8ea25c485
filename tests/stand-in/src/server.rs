//! The accept loop with its connection limit.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::routes;
use crate::state::State;

/// How long gunicorn keeps an idle connection (its `--keep-alive` default).
const KEEP_ALIVE: Duration = Duration::from_secs(2);

/// Serves until it is dropped or aborted; its connections die with it.
pub(crate) async fn serve(listener: TcpListener, state: Arc<State>) {
    let slots = Arc::new(Semaphore::new(state.options.connections));
    let mut connections = JoinSet::new();
    loop {
        // The slot comes before the accept: as behind gunicorn, a connection too many is made by the kernel, and
        // its request is not read until another connection ends.
        let slot = Arc::clone(&slots)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        match listener.accept().await {
            Ok((connection, _)) => {
                let state = Arc::clone(&state);
                connections.spawn(async move {
                    let open = state.seen.connection();
                    talk(connection, state).await;
                    drop((open, slot));
                });
            }
            // Out of file descriptors: nothing to do but let others finish.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
        // Finished tasks are taken out here, so that the set does not grow.
        while connections.try_join_next().is_some() {}
    }
}

async fn talk(connection: TcpStream, state: Arc<State>) {
    let _: io::Result<()> = connection.set_nodelay(true);
    let service = service_fn(move |request| {
        let state = Arc::clone(&state);
        async move { Ok::<_, Infallible>(routes::answer(state, request).await) }
    });
    // A client may leave at any time, which is no fault of ours.
    let _: hyper::Result<()> = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(KEEP_ALIVE)
        .title_case_headers(true)
        .serve_connection(TokioIo::new(connection), service)
        .await;
}
