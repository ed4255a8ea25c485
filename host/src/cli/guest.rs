//! `airlock guest …`: the way of a guest's author, from a new project to a component that can be published.

use std::path::{Path, PathBuf};

use airlock_guest_build::Toolchain;
use airlock_sandbox::EngineConfig;
use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::{Global, app::read_component};
use crate::facts::Facts;
use crate::guests::{self, Guests};
use crate::limits::Own;
use crate::publish::Manifest;
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
    /// Say what a component asks for and offers, and what it describes for a sample app.
    #[command(after_help = "Example:\n  airlock guest check my-guest.wasm")]
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
}

/// What `guest check` found.
#[derive(Serialize)]
struct Checked {
    bytes: usize,
    digest: String,
    imports: Vec<String>,
    exports: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    describes: Option<Manifest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    declines: Option<String>,
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
        GuestCommand::Check(args) => check(global, &args.file).await,
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

async fn check(global: &Global, file: &Path) -> anyhow::Result<()> {
    let bytes = read_component(file)?;
    let digest = airlock_registry::Digest::of(&bytes).to_string();
    let size = bytes.len();
    let guests = Guests::new(EngineConfig {
        instances: 1,
        threads: 1,
        pooling: false,
        ..EngineConfig::default()
    });
    let component = guests.compile(bytes).await?;
    let (describes, declines) =
        match guests::describe(&component, sample().app(&Default::default()), &Own::new()).await {
            Ok(manifest) => (Some(manifest), None),
            Err(guests::GuestError::Unserved(words)) => (None, Some(words)),
            Err(error) => return Err(error.into()),
        };
    let inspection = component.inspection();
    let checked = Checked {
        bytes: size,
        digest,
        imports: inspection.imports.clone(),
        exports: inspection.exports.clone(),
        describes,
        declines,
    };
    if global.json {
        println!("{}", serde_json::to_string_pretty(&checked)?);
    } else {
        print(&checked);
    }
    Ok(())
}

fn print(checked: &Checked) {
    println!("{} bytes, {}", checked.bytes, checked.digest);
    for import in &checked.imports {
        println!("asks for  {import}: {}", meaning(import));
    }
    for export in &checked.exports {
        println!("offers    {export}");
    }
    for tool in checked
        .describes
        .iter()
        .flat_map(|manifest| &manifest.tools)
    {
        println!(
            "describes {} for the sample app: {}",
            tool.name,
            tool.description.lines().next().unwrap_or_default()
        );
    }
    if let Some(words) = &checked.declines {
        println!("declines the sample app: {words}");
    }
}

/// What an import lets a guest do.
fn meaning(import: &str) -> &'static str {
    if import.contains("/dify@") {
        "may run its own Dify app"
    } else if import.contains("/client@") {
        "may report progress, log, and wait"
    } else {
        "names for data, no ability"
    }
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
