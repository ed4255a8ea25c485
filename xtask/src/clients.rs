//! The MCP clients of other projects that the tests call Airlock with.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::npm;
use crate::process::{at_least, run};

/// Pinned: a later client may behave in another way, and then it is a change of ours to answer that.
const PYTHON: [&str; 1] = ["mcp==2.3.0"];
const NODE: [&str; 4] = [
    "@modelcontextprotocol/sdk@1.32.2",
    "@modelcontextprotocol/client@2.4.0",
    "@modelcontextprotocol/inspector@2.12.0",
    "mcp-remote@0.15.1",
];

/// The oldest that the Python SDK runs on.
const OLDEST_PYTHON: (u32, u32) = (3, 10);

/// Installs them into `directory`: a virtual environment in `python`, and `node/node_modules`.
pub(crate) fn install(directory: &Path) -> Result<()> {
    let wanted = [PYTHON.join("\n"), NODE.join("\n")].join("\n");
    npm::once(directory, &wanted, || {
        at_least("python3", OLDEST_PYTHON)?;
        let (python, node) = (directory.join("python"), directory.join("node"));
        run(Command::new("python3").args(["-m", "venv"]).arg(&python))
            .context("on Debian, python3 -m venv needs `apt-get install python3-venv`")?;
        run(Command::new(python.join("bin/python"))
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--no-input",
            ])
            .args(PYTHON))?;
        fs::create_dir_all(&node).with_context(|| format!("cannot make {}", node.display()))?;
        npm::packages(&node, &NODE)
    })
}
