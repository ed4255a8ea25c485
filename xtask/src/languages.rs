//! The guests in other languages than Rust: their compilers, and the components that these make.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::run;
use crate::{npm, python};

/// Pinned: what a compiler puts into a component beside the guest changes with its version.
const JAVASCRIPT: &str = "@bytecodealliance/componentize-js@0.23.0";
const PYTHON: &str = "componentize-py==0.25.1";

/// Builds them into `directory`, with compilers installed in `tools`.
pub(crate) fn build(workspace: &Path, tools: &Path, directory: &Path) -> Result<()> {
    let (javascript, python) = (tools.join("javascript"), tools.join("python"));
    npm::once(&javascript, JAVASCRIPT, || {
        npm::packages(&javascript, &[JAVASCRIPT])
    })?;
    npm::once(&python, PYTHON, || python::environment(&python, &[PYTHON]))?;

    let examples = workspace.join("guest/examples");
    let (parts, table) = (examples.join("javascript"), examples.join("python"));
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot make {}", directory.display()))?;
    let guest = |name: &str, source: PathBuf, compiler: Compiler<'_>| {
        Guest {
            source,
            wit: workspace.join("wit"),
            component: directory.join(name).with_extension("wasm"),
            compiler,
        }
        .build()
    };
    guest(
        "airlock-guest-parts",
        parts.join("parts.js"),
        Compiler::JavaScript(&javascript),
    )?;
    let stubbed = Compiler::Python(&python, &["--stub-wasi"]);
    guest("airlock-guest-table", table.join("table.py"), stubbed)?;
    // The same without: it imports WASI, as a guest does whose author did not know better.
    let unstubbed = Compiler::Python(&python, &[]);
    guest(
        "airlock-guest-table-wasi",
        table.join("table.py"),
        unstubbed,
    )
}

enum Compiler<'a> {
    JavaScript(&'a Path),
    Python(&'a Path, &'a [&'a str]),
}

struct Guest<'a> {
    source: PathBuf,
    wit: PathBuf,
    component: PathBuf,
    compiler: Compiler<'a>,
}

impl Guest<'_> {
    /// Builds it, unless the component was made of the same.
    fn build(&self) -> Result<()> {
        let (stamp, made_of) = (self.component.with_extension("made-of"), self.made_of()?);
        let built = self.component.exists()
            && fs::read_to_string(&stamp).is_ok_and(|before| before == made_of);
        if !built {
            run(&mut self.command())?;
            fs::write(&stamp, made_of)
                .with_context(|| format!("cannot write {}", stamp.display()))?;
        }
        let size = fs::metadata(&self.component)
            .with_context(|| format!("{} was not made", self.component.display()))?
            .len();
        println!(
            "guests: {} ({} KiB{})",
            self.component.display(),
            size.div_ceil(1024),
            if built { ", unchanged" } else { "" }
        );
        Ok(())
    }

    /// Everything that decides what comes out: the command, the compiler, the source and the contract.
    fn made_of(&self) -> Result<String> {
        let mut files = fs::read_dir(&self.wit)
            .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
            .with_context(|| format!("cannot read {}", self.wit.display()))
            .map(|mut files: Vec<PathBuf>| {
                files.sort();
                files
            })?;
        files.push(self.source.clone());
        let mut made_of = format!("{JAVASCRIPT}\n{PYTHON}\n{:?}\n", self.command());
        for file in files {
            made_of += &fs::read_to_string(&file)
                .with_context(|| format!("cannot read {}", file.display()))?;
        }
        Ok(made_of)
    }

    fn command(&self) -> Command {
        match self.compiler {
            Compiler::JavaScript(tools) => {
                let mut command = Command::new(tools.join("node_modules/.bin/componentize-js"));
                command
                    .arg(&self.source)
                    .arg("--wit")
                    .arg(&self.wit)
                    .args(["--world-name", "guest", "--disable"])
                    .args(["clocks", "fetch-event", "http", "random", "stdio"])
                    .arg("--out")
                    .arg(&self.component);
                command
            }
            Compiler::Python(tools, flags) => {
                let mut command = Command::new(tools.join("bin/componentize-py"));
                command
                    .args([OsStr::new("--quiet"), OsStr::new("--wit-path")])
                    .arg(&self.wit)
                    .args(["--world", "guest", "componentize"])
                    .args(flags)
                    .arg("--python-path")
                    .arg(self.source.parent().unwrap_or(Path::new(".")))
                    .arg(self.source.file_stem().unwrap_or_default())
                    .arg("--output")
                    .arg(&self.component);
                command
            }
        }
    }
}
