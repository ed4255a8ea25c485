//! The MCP clients of other projects that the tests call Airlock with.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::process::{exists, output, run};

const PYTHON: [&str; 1] = ["mcp==2.3.0"];
const NODE: [&str; 2] = ["@modelcontextprotocol/sdk@1.32.2", "mcp-remote@0.15.1"];

/// The oldest that these clients run on.
const OLDEST_PYTHON: (u32, u32) = (3, 10);
const OLDEST_NODE: (u32, u32) = (20, 0);

/// Installs them into `directory`: a virtual environment in `python`, and `node/node_modules`.
pub(crate) fn install(directory: &Path) -> Result<()> {
    let stamp = directory.join("installed");
    let wanted = [PYTHON.join("\n"), NODE.join("\n"), String::new()].join("\n");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    check_tools()?;
    // What an earlier list or a run that was cut off has left is not worth mending.
    if directory.exists() {
        fs::remove_dir_all(directory)
            .with_context(|| format!("cannot remove {}", directory.display()))?;
    }
    let (python, node) = (directory.join("python"), directory.join("node"));
    fs::create_dir_all(&node).with_context(|| format!("cannot make {}", node.display()))?;

    println!(
        "clients: installing {} and {}",
        PYTHON.join(", "),
        NODE.join(", ")
    );
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

    npm_install(&node, &NODE)?;
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}

/// Installs packages into `directory/node_modules`.
pub(crate) fn npm_install(directory: &Path, packages: &[&str]) -> Result<()> {
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
}

fn check_tools() -> Result<()> {
    let missing: Vec<&str> = ["python3", "node", "npm"]
        .into_iter()
        .filter(|tool| !exists(tool))
        .collect();
    ensure!(
        missing.is_empty(),
        "the tests call Airlock with clients in Python and Node.js, and this machine has no {}; install Python {}.{} and \
         Node.js {} or later",
        missing.join(" and no "),
        OLDEST_PYTHON.0,
        OLDEST_PYTHON.1,
        OLDEST_NODE.0
    );
    for (tool, oldest) in [("python3", OLDEST_PYTHON), ("node", OLDEST_NODE)] {
        let answer = output(Command::new(tool).arg("--version"))?;
        let version =
            version(&answer).with_context(|| format!("{tool} --version says {answer:?}"))?;
        ensure!(
            version >= oldest,
            "{tool} is version {}.{}, and the clients in the tests need {}.{} or later",
            version.0,
            version.1,
            oldest.0,
            oldest.1
        );
    }
    Ok(())
}

/// The first two numbers of `Python 3.11.7` or `v20.20.2`.
fn version(answer: &str) -> Option<(u32, u32)> {
    let mut numbers = answer
        .trim_start_matches(|character: char| !character.is_ascii_digit())
        .split('.')
        .map(|number| number.trim().parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_python_and_node_print_them() {
        assert_eq!(version("Python 3.11.7\n"), Some((3, 11)));
        assert_eq!(version("v20.20.2\n"), Some((20, 20)));
        assert_eq!(version("no number"), None);
        assert!(version("Python 3.9.1") < Some(OLDEST_PYTHON));
    }
}
