//! A proxy between clients and the server: it hears which version of the protocol they speak, and cuts silent
//! connections, as real ones do.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

const HEADER: &str = "mcp-protocol-version:";

/// A proxy before one server. Dropping it ends its connections.
pub struct Proxy {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    _connections: JoinSet<()>,
}

/// What it has seen so far.
#[derive(Default)]
struct Seen {
    versions: BTreeSet<String>,
    cuts: usize,
}

impl Proxy {
    /// A proxy before the server at `server`. With `patience`, it cuts connections on which the server says nothing for
    /// that long.
    ///
    /// # Errors
    /// When it finds no place to listen.
    pub async fn before(server: SocketAddr, patience: Option<Duration>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let seen = Arc::<Mutex<Seen>>::default();
        let mut connections = JoinSet::new();
        let all = Arc::clone(&seen);
        connections.spawn(async move {
            let mut running = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                running.spawn(carry(client, server, patience, Arc::clone(&all)));
                while running.try_join_next().is_some() {}
            }
        });
        Ok(Self {
            address,
            seen,
            _connections: connections,
        })
    }

    /// One of the server's addresses, as clients reach it through the proxy.
    ///
    /// # Errors
    /// When it is no address of a server.
    pub fn url(&self, url: &str) -> anyhow::Result<String> {
        let path = url.split_once("/server/").context("not an address")?.1;
        Ok(format!("http://{}/server/{path}", self.address))
    }

    /// The versions of the protocol that requests have named in their headers.
    #[must_use]
    pub fn versions(&self) -> BTreeSet<String> {
        lock(&self.seen).versions.clone()
    }

    /// How many connections were cut.
    #[must_use]
    pub fn cuts(&self) -> usize {
        lock(&self.seen).cuts
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Carries one connection until either side ends it, or the server was silent for too long.
async fn carry(
    client: TcpStream,
    server: SocketAddr,
    patience: Option<Duration>,
    seen: Arc<Mutex<Seen>>,
) {
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // Whoever leaves takes the whole connection along: nobody here uses half of one.
    tokio::select! {
        _ = up(from_client, to_server, &seen) => {}
        _ = down(from_server, to_client, patience, &seen) => {}
    }
}

async fn up(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, seen: &Mutex<Seen>) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    let mut line = Vec::new();
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        for &byte in &buffer[..read] {
            line.push(byte);
            if line.ends_with(b"\r\n") {
                note(&line, seen);
                line.clear();
            }
        }
        to.write_all(&buffer[..read]).await?;
    }
}

async fn down(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    patience: Option<Duration>,
    seen: &Mutex<Seen>,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer);
        let read = match patience {
            None => read.await?,
            Some(patience) => match timeout(patience, read).await {
                Ok(read) => read?,
                Err(_elapsed) => {
                    lock(seen).cuts += 1;
                    return Ok(());
                }
            },
        };
        if read == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..read]).await?;
    }
}

/// Headers end with a line break each; a body has none in it, so what follows one is a request's first line.
fn note(line: &[u8], seen: &Mutex<Seen>) {
    if let Some((name, version)) = line.split_at_checked(HEADER.len())
        && name.eq_ignore_ascii_case(HEADER.as_bytes())
    {
        let version = String::from_utf8_lossy(version.trim_ascii());
        lock(seen).versions.insert(version.into_owned());
    }
}
