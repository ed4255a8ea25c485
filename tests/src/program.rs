//! The `airlock` program, as an operator runs it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::process::Process;

/// A command that has not ended by then hangs. Compiling a component in an unoptimised build takes a few seconds.
const WITHIN: Duration = Duration::from_secs(60);

/// The program with one home. Of its settings it has those of [`Program::env`] and none of this process's.
#[derive(Clone)]
pub struct Program {
    home: PathBuf,
    env: BTreeMap<String, String>,
    within: Duration,
}

/// A command that has ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained of, and its log.
    pub stderr: String,
}

/// A command that runs until it is told to stop. Dropping it kills it.
pub struct Running {
    child: Child,
    said: watch::Receiver<Said>,
}

/// What a running command has printed so far.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// On standard output.
    pub stdout: String,
    /// On standard error.
    pub stderr: String,
}

/// Where cargo puts the program: beside the directory of the test executables.
///
/// # Panics
/// When it is not built.
#[must_use]
pub fn path() -> PathBuf {
    let test = std::env::current_exe().expect("this process has an executable");
    let path = test
        .parent()
        .and_then(Path::parent)
        .expect("tests lie in target/PROFILE/deps")
        .join("airlock");
    assert!(
        path.is_file(),
        "{} is not built; `cargo build --package airlock` does that",
        path.display()
    );
    path
}

impl Program {
    /// The program with this home.
    #[must_use]
    pub fn new(home: &Path) -> Self {
        Self {
            home: home.to_owned(),
            env: BTreeMap::new(),
            within: WITHIN,
        }
    }

    /// With this variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// With this time for each command.
    #[must_use]
    pub fn within(mut self, time: Duration) -> Self {
        self.within = time;
        self
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(path());
        for (name, _) in std::env::vars_os() {
            if name
                .to_str()
                .is_some_and(|name| name.starts_with("AIRLOCK_") || name.starts_with("DIFY_"))
            {
                command.env_remove(name);
            }
        }
        command
            .args(arguments)
            .env("AIRLOCK_HOME", &self.home)
            .envs(&self.env)
            .kill_on_drop(true)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// When it cannot be started, or hangs.
    pub async fn run(&self, arguments: &[&str]) -> anyhow::Result<Ran> {
        self.run_with(arguments, "").await
    }

    /// Runs a command that reads `input`, to its end.
    ///
    /// # Errors
    /// When it cannot be started, or hangs.
    pub async fn run_with(&self, arguments: &[&str], input: &str) -> anyhow::Result<Ran> {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn()?;
        let mut stdin = child.stdin.take().context("it was piped")?;
        // A command that reads nothing may have closed it.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = tokio::time::timeout(self.within, child.wait_with_output())
            .await
            .with_context(|| format!("airlock {arguments:?} hangs"))??;
        Ok(Ran {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout)?,
            stderr: String::from_utf8(output.stderr)?,
        })
    }

    /// Runs a command with `--json`. Its reply.
    ///
    /// # Errors
    /// When it fails, or prints no JSON.
    pub async fn json(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        self.json_with(arguments, "").await
    }

    /// The same for a command that reads `input`.
    ///
    /// # Errors
    /// When it fails, or prints no JSON.
    pub async fn json_with(&self, arguments: &[&str], input: &str) -> anyhow::Result<Value> {
        let ran = self
            .run_with(&[arguments, &["--json"]].concat(), input)
            .await?;
        if ran.code != Some(0) {
            bail!("airlock {arguments:?} failed: {ran:?}");
        }
        serde_json::from_str(&ran.stdout).with_context(|| format!("not JSON: {ran:?}"))
    }

    /// Starts a command that runs until it is told to stop.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, arguments: &[&str]) -> anyhow::Result<Running> {
        let mut child = self.command(arguments).spawn()?;
        let (to, said) = watch::channel(Said::default());
        let stdout = child.stdout.take().context("it was piped")?;
        let stderr = child.stderr.take().context("it was piped")?;
        tokio::spawn(read(stdout, to.clone(), |said| &mut said.stdout));
        tokio::spawn(read(stderr, to, |said| &mut said.stderr));
        Ok(Running { child, said })
    }

    /// Starts `airlock serve` on a free port, and waits until it has said what it serves.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn serve(&self, arguments: &[&str]) -> anyhow::Result<(Running, SocketAddr)> {
        let mut server =
            self.start(&[&["serve", "--listen", "127.0.0.1:0"], arguments].concat())?;
        // The home's line comes after the address's: both are whole then.
        let said = server
            .wait_for(|said| said.stdout.contains("\nhome: "))
            .await?;
        let address = said
            .stdout
            .lines()
            .find_map(|line| line.split_once("listens on "))
            .context("the server names its address first")?
            .1
            .parse()?;
        Ok((server, address))
    }
}

impl Ran {
    /// Everything it printed.
    #[must_use]
    pub fn words(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

impl Running {
    /// Waits until it has printed what meets the condition.
    ///
    /// # Errors
    /// When it ends or the time is over first; the message holds what it printed instead.
    pub async fn wait_for(&mut self, condition: impl Fn(&Said) -> bool) -> anyhow::Result<Said> {
        let waited = async {
            let said = self.said.wait_for(|said| condition(said)).await?;
            Ok::<_, watch::error::RecvError>(said.clone())
        };
        match tokio::time::timeout(WITHIN, waited).await {
            Ok(Ok(said)) => Ok(said),
            _ => bail!("not printed: {:?}", self.said()),
        }
    }

    /// What it has printed so far.
    #[must_use]
    pub fn said(&self) -> Said {
        self.said.borrow().clone()
    }

    /// What it uses; `None` once it has ended.
    #[must_use]
    pub fn process(&self) -> Option<Process> {
        self.child.id().map(Process)
    }

    /// Sends it a signal (`TERM`, `INT`) and waits for its end. How it ended, and all that it printed.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn signal(mut self, name: &str) -> anyhow::Result<(ExitStatus, Said)> {
        let pid = self.child.id().context("it runs")?;
        // `kill` is built into every shell; as a program of its own it may not be installed.
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -{name} {pid}")])
            .status()
            .await?;
        if !sent.success() {
            bail!("the signal could not be sent");
        }
        let status = tokio::time::timeout(WITHIN, self.child.wait())
            .await
            .context("it does not end")??;
        // Both readers end with the pipes, and drop their ends of the channel.
        while self.said.changed().await.is_ok() {}
        Ok((status, self.said()))
    }
}

async fn read(
    from: impl AsyncRead + Unpin,
    to: watch::Sender<Said>,
    part: fn(&mut Said) -> &mut String,
) {
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        to.send_modify(|said| {
            let text = part(said);
            text.push_str(&line);
            text.push('\n');
        });
    }
}
