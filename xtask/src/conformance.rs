//! The official conformance suite of MCP, which the tests run against a server of their own.

use std::path::Path;

use anyhow::Result;

use crate::npm;

/// Pinned: a later suite may ask for more, and then it is a change of ours to answer that.
const SUITE: &str = "@modelcontextprotocol/conformance@0.2.0-alpha.12";

/// Installs it into `directory/node_modules`.
pub(crate) fn install(directory: &Path) -> Result<()> {
    npm::once(directory, SUITE, || npm::packages(directory, &[SUITE]))
}
