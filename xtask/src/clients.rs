//! The MCP clients of other projects that the tests call Airlock with.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::{npm, python};

/// Pinned: a later client may behave in another way, and then it is a change of ours to answer that.
const PYTHON: [&str; 1] = ["mcp==2.3.0"];
const NODE: [&str; 4] = [
    "@modelcontextprotocol/sdk@1.32.2",
    "@modelcontextprotocol/client@2.4.0",
    "@modelcontextprotocol/inspector@2.12.0",
    "mcp-remote@0.15.1",
];

/// Installs them into `directory`: a virtual environment in `python`, and `node/node_modules`.
pub(crate) fn install(directory: &Path) -> Result<()> {
    let wanted = [PYTHON.join("\n"), NODE.join("\n")].join("\n");
    npm::once(directory, &wanted, || {
        let node = directory.join("node");
        python::environment(&directory.join("python"), &PYTHON)?;
        fs::create_dir_all(&node).with_context(|| format!("cannot make {}", node.display()))?;
        npm::packages(&node, &NODE)
    })
}
