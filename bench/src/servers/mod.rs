//! The servers: this program again, once for each, told what to be in a line of JSON.
//!
//! * `airlock`: Airlock, with one published app.
//! * `bare`: hyper and nothing else, and a bare proxy.
//! * `dify`: the stand-in for Dify, which answers at once.
//! * `flood`: the same, and says very much.

mod airlock;
mod bare;
pub(crate) mod dify;
mod flood;

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, anyhow};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt};

pub(crate) use flood::Flood;

/// The argument that makes this program a server.
pub(crate) const AS_SERVER: &str = "serve";

/// Ticks of `/proc/PID/stat` in a second: `USER_HZ`, which Linux has fixed at 100 for programs.
const TICK: Duration = Duration::from_millis(10);

/// What a server is to be.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Role {
    /// The stand-in for Dify.
    Dify,
    /// The stand-in with a workflow that says very much.
    Flood(Flood),
    /// Airlock beside it, with one app.
    Airlock(Upstream),
    /// Airlock in a home that is there already.
    Home { home: PathBuf, dify: Upstream },
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
    /// Where it answers: Airlock's is the app's address.
    pub(crate) url: http::Uri,
    /// The app's key, of a stand-in.
    pub(crate) key: String,
    child: Child,
}

/// A server's word that it listens.
#[derive(Debug, Serialize, Deserialize)]
struct Ready {
    url: String,
    key: String,
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
        let Ready { url, key } =
            ready.map_err(|error| anyhow!("a server did not start: {error}"))?;
        Ok(Self {
            url: url.parse()?,
            key,
            child,
        })
    }

    pub(crate) fn address(&self) -> anyhow::Result<SocketAddr> {
        let port = self.url.port_u16().context("a server's URL has a port")?;
        Ok(SocketAddr::from(([127, 0, 0, 1], port)))
    }

    /// CPU time that the whole process has used, in user mode and in the kernel. Its grain is 10 ms.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let path = format!("/proc/{}/stat", self.child.id());
        let text = std::fs::read_to_string(path).context("a server has ended")?;
        // The second field, in brackets, may hold spaces; utime and stime are the 14th and 15th.
        let (_, fields) = text.rsplit_once(')').context("this is no /proc/PID/stat")?;
        let ticks = fields.split_whitespace().skip(11).take(2);
        let ticks: u32 = ticks.map(str::parse::<u32>).sum::<Result<_, _>>()?;
        Ok(TICK * ticks)
    }
}

/// KiB of memory that a process has resident.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) now: u64,
    /// The most since [`Server::forget_peak`].
    pub(crate) most: u64,
}

impl Server {
    pub(crate) fn memory(&self) -> anyhow::Result<Memory> {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(path).context("a server has ended")?;
        let field = |name| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
            let number = number.and_then(|number| number.parse().ok());
            number.with_context(|| format!("no {name} in /proc/PID/status"))
        };
        Ok(Memory {
            now: field("VmRSS:")?,
            most: field("VmHWM:")?,
        })
    }

    pub(crate) fn forget_peak(&self) -> anyhow::Result<()> {
        let path = format!("/proc/{}/clear_refs", self.child.id());
        std::fs::write(path, "5").context("a server has ended")
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
        Role::Dify => dify::start().await,
        Role::Flood(flood) => flood::start(flood).await,
        Role::Airlock(upstream) => airlock::start(&upstream).await,
        Role::Home { home, dify } => airlock::start_in(home, &dify).await,
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
