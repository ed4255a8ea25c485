//! `airlock healthcheck`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A container's health check has 3 s; this leaves room for the process to start.
const WITHIN: Duration = Duration::from_secs(2);

/// Asks the server that listens on `listen` whether it is ready.
///
/// # Errors
/// When it is not, or nobody listens.
pub async fn check(listen: SocketAddr) -> anyhow::Result<()> {
    let address = SocketAddr::new(reachable(listen.ip()), listen.port());
    tokio::time::timeout(WITHIN, ask(address))
        .await
        .with_context(|| format!("no answer from {address} within {WITHIN:?}"))?
}

/// Nobody can connect to "any address".
fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

async fn ask(address: SocketAddr) -> anyhow::Result<()> {
    let stream = TcpStream::connect(address)
        .await
        .with_context(|| format!("nobody listens on {address}: is `airlock serve` running?"))?;
    let (mut send, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = http::Request::get("/readyz")
        .header("host", address.to_string())
        .body(Empty::<Bytes>::new())?;
    let status = send.send_request(request).await?.status();
    if !status.is_success() {
        bail!("{address} answers {status}");
    }
    Ok(())
}
