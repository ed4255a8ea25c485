//! What pip brings, each set of packages in a virtual environment of its own.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::{at_least, run};

/// The oldest that what is installed here runs on.
const OLDEST: (u32, u32) = (3, 10);

/// Makes an environment in `directory` and installs packages into it.
pub(crate) fn environment(directory: &Path, packages: &[&str]) -> Result<()> {
    at_least("python3", OLDEST)?;
    run(Command::new("python3").args(["-m", "venv"]).arg(directory))
        .context("on Debian, python3 -m venv needs `apt-get install python3-venv`")?;
    run(Command::new(directory.join("bin/python"))
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-input",
        ])
        .args(packages))
}
