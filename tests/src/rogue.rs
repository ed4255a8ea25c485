//! A Dify that misbehaves on the wire: a proxy before the stand-in that answers runs as a test's script says.
//!
//! It writes to the socket itself, because a library for HTTP would refuse to: heads that break off, bodies that are
//! longer than promised, resets. What is no run, and runs without a script, are passed on to the stand-in.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What is sent in place of an answer, in order. After the last step the connection is closed.
pub type Script = Vec<Step>;

/// A step of a [`Script`].
#[derive(Clone, Debug)]
pub enum Step {
    /// These bytes.
    Send(Vec<u8>),
    /// These bytes, one at a time, with this pause before each.
    Drip(Vec<u8>, Duration),
    /// These bytes so many times.
    Repeat(Vec<u8>, usize),
    /// Nothing, until the client leaves.
    Silence,
    /// The connection is reset.
    Reset,
}

/// The head of an event stream whose end is the connection's.
pub const STREAM: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n";

/// The proxy. Dropping it closes its port; connections that are open end by themselves.
pub struct Rogue {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    behind: Mutex<Option<SocketAddr>>,
    script: Mutex<Option<Script>>,
    sent: AtomicU64,
}

impl Rogue {
    /// Listens. It has nothing to pass on to yet.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let rogue = Self {
            address: listener.local_addr()?,
            shared: Arc::default(),
            accepting: Mutex::default(),
        };
        rogue.accept(listener);
        Ok(rogue)
    }

    /// The base address of the Service API as it seems to be.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Passes on to the stand-in at `url` from now on.
    ///
    /// # Errors
    /// When `url` names no socket.
    pub fn before(&self, url: &str) -> anyhow::Result<()> {
        let uri: http::Uri = url.parse()?;
        let authority = uri.authority().context("a URL with a host")?;
        *locked(&self.shared.behind) = Some(authority.as_str().parse()?);
        Ok(())
    }

    /// Answers runs with this from now on; `None` passes them on.
    pub fn play(&self, script: Option<Script>) {
        *locked(&self.shared.script) = script;
        self.shared.sent.store(0, Ordering::Relaxed);
    }

    /// Bytes that were sent since the last [`Rogue::play`].
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }

    /// Closes the port: connecting is refused.
    pub async fn down(&self) {
        let accepting = locked(&self.accepting).take();
        if let Some(accepting) = accepting {
            accepting.abort();
            // Only its end matters: the port is closed then.
            let _ = accepting.await;
        }
    }

    /// Opens the port again.
    ///
    /// # Errors
    /// When another process has taken it meanwhile.
    pub async fn up(&self) -> anyhow::Result<()> {
        self.accept(TcpListener::bind(self.address).await?);
        Ok(())
    }

    fn accept(&self, listener: TcpListener) {
        let shared = Arc::clone(&self.shared);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                // A client may leave at any time, which is no fault of ours.
                tokio::spawn(async move { serve(client, &shared).await });
            }
        });
        *locked(&self.accepting) = Some(accepting);
    }
}

impl Drop for Rogue {
    fn drop(&mut self) {
        if let Some(accepting) = locked(&self.accepting).take() {
            accepting.abort();
        }
    }
}

/// Events as Dify writes them.
#[must_use]
pub fn sse(events: &[Value]) -> Vec<u8> {
    let lines = events.iter().map(|event| format!("data: {event}\n\n"));
    lines.collect::<String>().into_bytes()
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(mut client: TcpStream, shared: &Shared) -> io::Result<()> {
    client.set_nodelay(true)?;
    let request = read(&mut client).await?;
    let line = request.split(|&byte| byte == b'\r').next();
    let runs = [
        b"POST /v1/chat-messages HTTP/1.1".as_slice(),
        b"POST /v1/completion-messages HTTP/1.1",
        b"POST /v1/workflows/run HTTP/1.1",
    ];
    let script = locked(&shared.script).clone();
    match script.filter(|_| runs.into_iter().any(|run| Some(run) == line)) {
        Some(script) => play(client, script, &shared.sent).await,
        None => pass_on(client, &request, shared).await,
    }
}

async fn play(mut client: TcpStream, script: Script, sent: &AtomicU64) -> io::Result<()> {
    let send = async |client: &mut TcpStream, bytes: &[u8]| {
        client.write_all(bytes).await?;
        sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        io::Result::Ok(())
    };
    for step in script {
        match step {
            Step::Send(bytes) => send(&mut client, &bytes).await?,
            Step::Drip(bytes, pause) => {
                for byte in bytes {
                    tokio::time::sleep(pause).await;
                    send(&mut client, &[byte]).await?;
                }
            }
            Step::Repeat(bytes, times) => {
                for _ in 0..times {
                    send(&mut client, &bytes).await?;
                }
            }
            Step::Silence => while client.read(&mut [0; 64]).await? > 0 {},
            Step::Reset => return client.set_zero_linger(),
        }
    }
    client.shutdown().await
}

/// One request to a connection: what comes after it would not be seen.
async fn pass_on(mut client: TcpStream, request: &[u8], shared: &Shared) -> io::Result<()> {
    let Some(behind) = *locked(&shared.behind) else {
        return Ok(());
    };
    let mut behind = TcpStream::connect(behind).await?;
    let end_of_line = request.windows(2).position(|pair| pair == b"\r\n");
    let (line, rest) = request.split_at(end_of_line.unwrap_or_default());
    behind.write_all(line).await?;
    behind.write_all(b"\r\nConnection: close").await?;
    behind.write_all(rest).await?;
    copy_bidirectional(&mut client, &mut behind).await?;
    Ok(())
}

/// A whole request, as it came.
async fn read(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(head) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
            let length = text
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if bytes.len() >= head + 4 + length.unwrap_or(0) {
                return Ok(bytes);
            }
        }
        if client.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
