//! `airlock guest …`: the way of a guest's author, from a new project to a component that can be published.

use std::path::PathBuf;

use airlock_guest_build::Toolchain;
use airlock_sandbox::EngineConfig;
use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use super::{Global, app::read_component, door, output};
use crate::config::Surroundings;
use crate::facts::Facts;
use crate::guests::Guests;
use crate::guests::compiler::this_program;
use crate::ops::{GuestCheck, Operation, Reply};
use crate::scaffold;

/// What an author does.
#[derive(Debug, Subcommand)]
pub enum GuestCommand {
    /// Make a new project: a Rust crate with the SDK and the contract inside.
    #[command(after_help = "Example:\n  airlock guest new my-guest")]
    New(NewArgs),
    /// Compile a project and make a component of it.
    #[command(after_help = "Example:\n  airlock guest build my-guest --out my-guest.wasm")]
    Build(BuildArgs),
    /// Say what a component may do and offers, and what it describes for a sample app, or would change for one of yours.
    #[command(
        after_help = "Example:\n  airlock guest check my-guest.wasm\n  airlock guest check my-guest.wasm --app travel-chat --json"
    )]
    Check(CheckArgs),
}

/// Options of `guest new`.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// The directory to make; its name becomes the crate's.
    directory: PathBuf,
}

/// Options of `guest build`.
#[derive(Debug, Args)]
pub struct BuildArgs {
    /// The project.
    #[arg(default_value = ".")]
    directory: PathBuf,
    /// Where to write the component; by default DIRECTORY/NAME.wasm.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Options of `guest check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The component.
    file: PathBuf,
    /// Have it describe this app in place of a sample, and say what clients of the app would see change.
    #[arg(long)]
    app: Option<String>,
}

/// # Errors
/// In words for the author.
pub async fn run(global: &Global, command: GuestCommand) -> anyhow::Result<()> {
    match command {
        GuestCommand::New(args) => {
            let name = scaffold::write(&args.directory)?;
            if global.json {
                println!(
                    "{}",
                    serde_json::json!({"name": name, "directory": args.directory})
                );
                return Ok(());
            }
            println!(
                "made {name} in {}; build it with: airlock guest build {0}",
                args.directory.display()
            );
            Ok(())
        }
        GuestCommand::Build(args) => {
            let json = global.json;
            tokio::task::spawn_blocking(move || build(&args, json)).await?
        }
        GuestCommand::Check(args) => check(global, args).await,
    }
}

fn build(args: &BuildArgs, json: bool) -> anyhow::Result<()> {
    let manifest = args.directory.join("Cargo.toml");
    if !manifest.is_file() {
        bail!(
            "{} has no Cargo.toml; `airlock guest new` makes a project",
            args.directory.display()
        );
    }
    let module =
        airlock_guest_build::compile(&manifest, None, "release", None, &Toolchain::find()?)?;
    let core =
        std::fs::read(&module).with_context(|| format!("cannot read {}", module.display()))?;
    let component = airlock_guest_build::componentize(&core)?;
    let out = match &args.out {
        Some(out) => out.clone(),
        None => args.directory.join(
            module
                .with_extension("wasm")
                .file_name()
                .context("a module has a name")?,
        ),
    };
    std::fs::write(&out, &component).with_context(|| format!("cannot write {}", out.display()))?;
    if json {
        println!(
            "{}",
            serde_json::json!({"component": out, "bytes": component.len()})
        );
        return Ok(());
    }
    println!("{} ({} kB)", out.display(), component.len().div_ceil(1000));
    Ok(())
}

async fn check(global: &Global, args: CheckArgs) -> anyhow::Result<()> {
    let component = read_component(&args.file)?;
    if let Some(app) = args.app {
        let asked = Operation::CheckGuest { app, component };
        return output::print(&door::ask(&global.home, asked).await?, global.json);
    }
    let engine = EngineConfig {
        instances: 1,
        threads: 1,
        pooling: false,
    };
    let settings = Surroundings::from_env().guests;
    let guests = Guests::new(settings.settings(engine, Some(this_program()), None))?;
    let sample = sample().app(&Default::default());
    let check = GuestCheck::of(&guests, component, sample).await?;
    output::print(&Reply::Checked { check }, global.json)
}

/// A small workflow, such as a guest may meet.
fn sample() -> Facts {
    Facts {
        name: "Sample Workflow".into(),
        description: "Writes a short text on a topic.".into(),
        mode: "workflow".into(),
        tags: Vec::new(),
        parameters: serde_json::json!({"user_input_form": [
            {"text-input": {"variable": "topic", "label": "Topic", "required": true, "max_length": 48}},
            {"select": {"variable": "style", "label": "Style", "required": false, "options": ["short", "long"]}}
        ]}),
        dify_version: None,
        pauses: false,
    }
}
