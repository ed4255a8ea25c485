//! A raw TCP server that says exactly the bytes it is told to, and remembers what it was asked.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use airlock_dify::{App, Config, Dify, parse_base};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// One request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) head: String,
    /// The body, where it was JSON.
    pub(crate) body: Value,
    /// The body, whatever it was.
    pub(crate) sent: Vec<u8>,
}

/// What to answer.
pub(crate) struct Reply {
    pub(crate) bytes: Vec<u8>,
    /// Written in pieces of this many bytes.
    pub(crate) cut: usize,
    pub(crate) then: Then,
}

/// What to do after the last byte.
pub(crate) enum Then {
    Close,
    /// Stay silent until the client closes.
    Hold,
    /// Wait for the next request.
    Keep,
    /// Send these bytes every so often until the client closes.
    Repeat(&'static [u8], Duration),
    /// Wait until the test lets go, send these bytes, and hold.
    Later(Arc<tokio::sync::Notify>, Vec<u8>),
}

#[derive(Default)]
struct Seen {
    asked: Mutex<Vec<Asked>>,
    open: AtomicUsize,
    peak: AtomicUsize,
}

pub(crate) struct Server {
    address: SocketAddr,
    seen: Arc<Seen>,
}

impl Server {
    /// Answers every request with what `answer` makes of it.
    pub(crate) async fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let answer = Arc::new(answer);
        tokio::spawn({
            let seen = seen.clone();
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let (seen, answer) = (seen.clone(), answer.clone());
                    tokio::spawn(async move {
                        let open = seen.open.fetch_add(1, Ordering::SeqCst) + 1;
                        seen.peak.fetch_max(open, Ordering::SeqCst);
                        let _ = serve(stream, &seen, &*answer).await;
                        seen.open.fetch_sub(1, Ordering::SeqCst);
                    });
                }
            }
        });
        Self { address, seen }
    }

    /// The usual bounds.
    pub(crate) fn config(&self) -> Config {
        Config::new(parse_base(&format!("http://{}", self.address)).unwrap())
    }

    /// The same for a test that waits for silence to be noticed.
    pub(crate) fn impatient(&self) -> Config {
        let idle = Duration::from_millis(500);
        Config {
            idle_flow: idle,
            idle_chat: idle,
            ..self.config()
        }
    }

    pub(crate) fn app(&self) -> App {
        self.app_with(self.config())
    }

    pub(crate) fn app_with(&self, config: Config) -> App {
        Dify::new(config).unwrap().app("app-test".parse().unwrap())
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.seen.asked.lock().unwrap().clone()
    }

    /// Connections that are open now.
    pub(crate) fn open(&self) -> usize {
        self.seen.open.load(Ordering::SeqCst)
    }

    /// Most connections that were ever open at once.
    pub(crate) fn peak(&self) -> usize {
        self.seen.peak.load(Ordering::SeqCst)
    }

    /// Waits until something that was asked fits.
    pub(crate) async fn wait_for(&self, what: impl Fn(&Asked) -> bool) -> Asked {
        let mut found = None;
        eventually("the request", || {
            found = self.asked().into_iter().find(&what);
            found.is_some()
        })
        .await;
        found.unwrap()
    }
}

/// Waits for a condition; fails when it does not come about within 20 s.
pub(crate) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..4000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{what} did not come");
}

async fn serve(
    mut stream: TcpStream,
    seen: &Seen,
    answer: &(dyn Fn(&Asked) -> Reply + Send + Sync),
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    while let Some(asked) = request(&mut stream).await? {
        seen.asked.lock().unwrap().push(asked.clone());
        let reply = answer(&asked);
        for piece in reply.bytes.chunks(reply.cut) {
            stream.write_all(piece).await?;
        }
        match reply.then {
            Then::Keep => {}
            Then::Close => return stream.shutdown().await,
            Then::Hold => return hold(&mut stream).await,
            Then::Later(gate, bytes) => {
                gate.notified().await;
                stream.write_all(&bytes).await?;
                return hold(&mut stream).await;
            }
            Then::Repeat(bytes, pause) => loop {
                tokio::time::sleep(pause).await;
                stream.write_all(bytes).await?;
            },
        }
    }
    Ok(())
}

async fn hold(stream: &mut TcpStream) -> std::io::Result<()> {
    while stream.read(&mut [0; 64]).await? > 0 {}
    Ok(())
}

async fn request(stream: &mut TcpStream) -> std::io::Result<Option<Asked>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..at]).into_owned();
            let length = head.lines().find_map(|line| {
                line.to_lowercase()
                    .strip_prefix("content-length: ")?
                    .parse()
                    .ok()
            });
            if bytes.len() >= at + 4 + length.unwrap_or(0) {
                let mut words = head.split(' ').map(str::to_owned);
                let (method, path) = (words.next().unwrap(), words.next().unwrap());
                let sent = bytes.split_off(at + 4);
                return Ok(Some(Asked {
                    method,
                    path,
                    head,
                    body: serde_json::from_slice(&sent).unwrap_or(Value::Null),
                    sent,
                }));
            }
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
}

/// A JSON answer on a connection that stays.
pub(crate) fn json(status: &str, body: &str) -> Reply {
    let length = body.len();
    let bytes = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    Reply {
        bytes: bytes.into_bytes(),
        cut: usize::MAX,
        then: Then::Keep,
    }
}

/// The head of a stream, and its first events. The body ends where the connection does.
pub(crate) fn stream(events: &[Value], then: Then) -> Reply {
    let mut bytes =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\nevent: ping\n\n"
            .to_vec();
    bytes.extend(sse(events));
    Reply {
        bytes,
        cut: usize::MAX,
        then,
    }
}

pub(crate) fn sse(events: &[Value]) -> Vec<u8> {
    events
        .iter()
        .flat_map(|event| format!("data: {event}\n\n").into_bytes())
        .collect()
}
