//! The servers: this program again, once for each, told what to be in a line of JSON.
//!
//! * `airlock`: Airlock, with one published app or many.
//! * `bare`: hyper and nothing else, and a bare proxy.
//! * `dify`: the stand-in for Dify, which answers at once or never.
//! * `flood`: the same, and says very much.

mod airlock;
mod bare;
pub(crate) mod dify;
mod flood;

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use airlock_tests::process::Process;
use anyhow::{Context, anyhow};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt};

pub(crate) use flood::Flood;

/// The argument that makes this program a server.
pub(crate) const AS_SERVER: &str = "serve";

/// What a server is to be.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Role {
    /// The stand-in for Dify.
    Dify(Dify),
    /// The stand-in with a workflow that says very much.
    Flood(Flood),
    /// Airlock beside it.
    Airlock(Airlock),
    /// Reads a request whole and answers the same bytes each time.
    Bare(Canned),
    /// Reads a request whole, has a run made, reads its stream whole, and answers the same bytes each time.
    Proxy {
        answer: Canned,
        upstream: Upstream,
        /// One connection for each run, as Airlock does it, or a pool of them.
        close: bool,
        /// The body that is sent upstream.
        run: String,
    },
}

/// A stand-in for Dify.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Dify {
    pub(crate) apps: Apps,
    /// Keys of these apps, which it names once it listens: to Airlock, each is an app of its own.
    pub(crate) keys: usize,
    /// Connections at one time. Dify's container has ten.
    pub(crate) connections: usize,
    /// Does it begin each answer and say nothing more?
    pub(crate) silent: bool,
}

/// Which apps a stand-in has.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Apps {
    /// A completion app, whose run is the shortest: what is measured is Airlock, not the reading of events.
    Blurb,
    /// A workflow, which tells of its steps.
    Report,
    /// One of each mode.
    EachMode,
}

/// An Airlock, as `airlock serve` runs it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Airlock {
    /// The stand-in's URL.
    pub(crate) dify: String,
    /// Where it keeps everything; in a directory that goes with it where none is named.
    pub(crate) home: Option<PathBuf>,
    /// Keys of apps that it is to publish, beside those that its home has.
    pub(crate) publish: Vec<String>,
    pub(crate) guests: Guests,
    pub(crate) bounds: Bounds,
}

/// What serves the apps.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Guests {
    /// The built-in guest.
    BuiltIn,
    /// So many components, in turn: the built-in guest's code, each with another digest.
    Distinct(usize),
}

/// How many calls there may be at one time.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Bounds {
    /// What a server has that nobody has configured: 6 in Dify, and 3 for each app.
    Default,
    /// 128. The defaults protect a Dify that takes ten connections; with them the benchmark would measure a queue.
    Lifted,
    /// The same, with little for guests that misbehave, so that a soak does not wait for them.
    Narrow,
}

/// An app of the stand-in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Upstream {
    pub(crate) url: String,
    pub(crate) key: String,
}

/// A response without what hyper adds by itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Canned {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// A server that runs. It ends when this is dropped, or when this process does.
pub(crate) struct Server {
    /// Where it answers: Airlock's are the apps' addresses.
    pub(crate) urls: Vec<http::Uri>,
    /// The apps' keys, of a stand-in.
    pub(crate) keys: Vec<String>,
    child: Child,
}

/// A server's word that it listens.
#[derive(Debug, Serialize, Deserialize)]
struct Ready {
    urls: Vec<String>,
    keys: Vec<String>,
}

impl Ready {
    fn at(url: String) -> Self {
        Self {
            urls: vec![url],
            keys: Vec::new(),
        }
    }
}

impl Server {
    /// Waits until it listens.
    pub(crate) fn start(role: &Role) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(AS_SERVER)
            // Settings of this shell are not to be measured: RUST_BACKTRACE makes wasmtime's errors slow, and every
            // AIRLOCK_ variable moves a bound.
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // The log is written, as in `airlock serve`, and read by nobody.
            .stderr(Stdio::null())
            .spawn()?;
        let input = child.stdin.as_mut().context("stdin is piped")?;
        writeln!(input, "{}", serde_json::to_string(role)?)?;
        let output = child.stdout.take().context("stdout is piped")?;
        let mut answer = String::new();
        BufReader::new(output).read_line(&mut answer)?;
        let ready: Result<Ready, String> = serde_json::from_str(&answer)
            .with_context(|| format!("a server has ended instead of starting: {role:?}"))?;
        let Ready { urls, keys } =
            ready.map_err(|error| anyhow!("a server did not start: {error}"))?;
        let urls = urls.iter().map(|url| url.parse());
        Ok(Self {
            urls: urls.collect::<Result<_, _>>()?,
            keys,
            child,
        })
    }

    /// Where it answers, if it has one place to answer at.
    pub(crate) fn url(&self) -> anyhow::Result<&http::Uri> {
        self.urls.first().context("a server has an address")
    }

    /// The first of its apps, of a stand-in.
    pub(crate) fn upstream(&self) -> anyhow::Result<Upstream> {
        Ok(Upstream {
            url: self.url()?.to_string(),
            key: self.keys.first().context("a stand-in has keys")?.clone(),
        })
    }

    pub(crate) fn address(&self) -> anyhow::Result<SocketAddr> {
        let port = self
            .url()?
            .port_u16()
            .context("a server's URL has a port")?;
        Ok(SocketAddr::from(([127, 0, 0, 1], port)))
    }

    pub(crate) fn process(&self) -> Process {
        Process(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Waiting closes its standard input first, which is its sign to go. Killed, it would leave its home behind.
        let _ = self.child.wait();
    }
}

/// The other side of [`Server::start`]: reads its role, serves, and ends with its standard input.
pub(crate) async fn serve() -> anyhow::Result<()> {
    let mut input = tokio::io::BufReader::new(tokio::io::stdin());
    let mut line = String::new();
    input.read_line(&mut line).await?;
    let started = match serde_json::from_str(&line)? {
        Role::Dify(dify) => dify::start(&dify).await,
        Role::Flood(flood) => flood::start(flood).await,
        Role::Airlock(airlock) => airlock::start(&airlock).await,
        Role::Bare(answer) => bare::start(answer).await,
        Role::Proxy {
            answer,
            upstream,
            close,
            run,
        } => bare::start_proxy(answer, upstream, close, run).await,
    };
    let (ready, held) = match started {
        Ok((ready, held)) => (Ok(ready), Some(held)),
        Err(error) => (Err(format!("{error:#}")), None),
    };
    println!("{}", serde_json::to_string(&ready)?);
    if held.is_some() {
        input.read_to_end(&mut Vec::new()).await?;
    }
    Ok(())
}

/// What a running server must hold on to.
type Held = Box<dyn std::any::Any>;

type Started = anyhow::Result<(Ready, Held)>;
