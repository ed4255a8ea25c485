//! What `make` calls when one line is not enough: `cargo xtask guests | languages | toolchain | clients | conformance`.
//!
//! This crate does not depend on the host, because the host embeds a guest that is built here.

mod clients;
mod conformance;
mod debian;
mod guests;
mod languages;
mod npm;
mod process;
mod python;
mod toolchain;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Builds what cargo alone cannot.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Compile every guest of the workspace
    Guests {
        /// Where the components go; what is built on the way goes beside it
        #[arg(long, value_name = "DIRECTORY", default_value = "target/guests")]
        out: PathBuf,
    },
    /// Compile the guests in JavaScript and Python, with compilers installed into target/languages
    Languages {
        /// Where the components go
        #[arg(long, value_name = "DIRECTORY", default_value = "target/guests")]
        out: PathBuf,
    },
    /// See to it that this machine can compile for WebAssembly
    Toolchain,
    /// Install the MCP clients that the tests use into target/clients
    Clients,
    /// Install the official conformance suite into target/conformance
    Conformance,
}

fn main() -> ExitCode {
    match run(&Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        // Not anyhow's own form: with RUST_BACKTRACE set it buries what to do under a backtrace.
        Err(error) => {
            eprintln!("error: {error}");
            for cause in error.chain().skip(1) {
                eprintln!("because: {cause}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(task: &Task) -> Result<()> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(PathBuf::from)
        .expect("this crate lies in the workspace's directory");
    let node = || npm::node(&workspace.join("target/node"));
    match task {
        Task::Guests { out } => guests::build(&workspace, &workspace.join(out)),
        Task::Languages { out } => node().and_then(|()| {
            languages::build(
                &workspace,
                &workspace.join("target/languages"),
                &workspace.join(out),
            )
        }),
        Task::Toolchain => toolchain::ensure(&workspace).map(drop),
        Task::Clients => node().and_then(|()| clients::install(&workspace.join("target/clients"))),
        Task::Conformance => {
            node().and_then(|()| conformance::install(&workspace.join("target/conformance")))
        }
    }
}
