//! MCP clients of other projects: where they are installed, and the scripts of `tests/clients` that drive some of them.
//!
//! A script reads orders and writes answers, a line of JSON each:
//!
//! | order | answer |
//! |-|-|
//! | `{"do": "connect", "url"}`, or `"command"`, `"args"` and `"env"` of a bridge in place of the URL | `{"connected"}` |
//! | `{"do": "list"}` | `{"tools"}` |
//! | `{"do": "call", "tool", "arguments", "cancel": false}`, and `"patience"` if its own timer is to be moved (ms) | `{"result", "progress"}` |
//! | the same with `"cancel": true`, and a second order `{"do": "cancel"}` | `{"cancelled"}`, or the result if that was first |
//! | `{"do": "disconnect"}` | `{"disconnected"}` |

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::guests::workspace;

/// The longest a script may be silent. The slowest answer is the first, which waits for an interpreter on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A script at work. Dropping it ends the process.
pub struct Script {
    /// What is behind the pipes; kept because dropping it is what ends it.
    _process: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Script {
    /// The Python SDK; `beginning` is the script's word for how it begins.
    ///
    /// # Errors
    /// When it is not installed.
    pub fn python(beginning: &str) -> anyhow::Result<Self> {
        let mut command = Command::new(installed("python/bin/python")?);
        command.arg(script("client.py")).arg(beginning);
        Self::start(command)
    }

    /// One of the TypeScript SDKs; `beginning` is the script's word for which, and how it begins.
    ///
    /// # Errors
    /// When it is not installed.
    pub fn typescript(beginning: &str) -> anyhow::Result<Self> {
        let mut command = Command::new(node());
        command
            .arg(script("client.cjs"))
            .arg(beginning)
            .env("NODE_PATH", installed("node/node_modules")?);
        Self::start(command)
    }

    fn start(mut command: Command) -> anyhow::Result<Self> {
        // What a script has to say of itself stands in the test's own output.
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{:?} cannot be started", command.as_std().get_program()))?;
        let orders = process.stdin.take().context("standard input is a pipe")?;
        let answers = process.stdout.take().context("standard output is a pipe")?;
        Ok(Self {
            _process: process,
            orders,
            answers: BufReader::new(answers).lines(),
        })
    }

    /// Gives an order.
    ///
    /// # Errors
    /// When the script has ended.
    pub async fn tell(&mut self, order: &Value) -> anyhow::Result<()> {
        self.orders
            .write_all(format!("{order}\n").as_bytes())
            .await
            .context("the client's script has ended; its own words stand above")
    }

    /// Takes the next answer, which must be about `what`.
    ///
    /// # Errors
    /// When the script has ended, is silent for half a minute, or says something else.
    pub async fn hear(&mut self, what: &str) -> anyhow::Result<Value> {
        let line = timeout(PATIENCE, self.answers.next_line())
            .await
            .with_context(|| format!("the client's script was silent instead of {what}"))??
            .with_context(|| {
                format!("the client's script ended before {what}; its own words stand above")
            })?;
        let mut answer: Value = serde_json::from_str(&line)
            .with_context(|| format!("the client's script said {line:?}"))?;
        ensure!(
            answer.get(what).is_some(),
            "the client's script said {answer} instead of {what}"
        );
        Ok(answer.take())
    }
}

/// A path among the clients that `make clients` installs.
///
/// # Errors
/// When it is not there.
pub fn installed(path: &str) -> anyhow::Result<PathBuf> {
    let path = workspace().join("target/clients").join(path);
    ensure!(
        path.exists(),
        "{} is missing: run `make clients`",
        path.display()
    );
    Ok(path)
}

/// The Node.js for what npm installs: the one that `make` had npm bring, or the system's where npm has none.
#[must_use]
pub fn node() -> PathBuf {
    let brought = workspace().join("target/node/node_modules/.bin/node");
    if brought.exists() {
        brought
    } else {
        "node".into()
    }
}

fn script(name: &str) -> PathBuf {
    workspace().join("tests/clients").join(name)
}
