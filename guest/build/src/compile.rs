//! Runs cargo on guests.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::toolchain::{Toolchain, cargo};

const CARGO_IS_MISSING: &str = "cannot run cargo; Rust is installed from https://rustup.rs";

/// Compiles one guest and returns the path of its core module.
///
/// `package` is needed where the manifest is a workspace's; `profile` is a cargo profile (`release`, or `guest` inside
/// Airlock's own workspace); without `target_dir`, cargo's own rules say where the results lie. What cargo and the compiler
/// have to say goes to standard error as it comes.
///
/// The caller's `RUSTFLAGS` are not used: they are written with the machine's own target in mind, and a guest should come
/// out the same wherever it is built.
///
/// # Errors
/// When the guest does not compile, or does not come out as exactly one core module.
pub fn compile(
    manifest_path: &Path,
    package: Option<&str>,
    profile: &str,
    target_dir: Option<&Path>,
    toolchain: &Toolchain,
) -> Result<PathBuf> {
    let packages: Vec<&str> = package.into_iter().collect();
    let mut modules = compile_all(manifest_path, &packages, profile, target_dir, toolchain)?;
    let module = modules.pop().with_context(|| {
        format!(
            "{} made no WebAssembly module; a guest's manifest says\n\n    [lib]\n    crate-type = [\"cdylib\"]\n",
            manifest_path.display()
        )
    })?;
    ensure!(
        modules.is_empty(),
        "{} holds more than one guest; name the one to build",
        manifest_path.display()
    );
    Ok(module)
}

/// Like [`compile`], for several packages of one workspace in one run of cargo. The paths come sorted.
///
/// # Errors
/// When any of them does not compile.
pub fn compile_all(
    manifest_path: &Path,
    packages: &[&str],
    profile: &str,
    target_dir: Option<&Path>,
    toolchain: &Toolchain,
) -> Result<Vec<PathBuf>> {
    let flags = rustflags(
        &workspace_root(manifest_path)?,
        toolchain.standard_library(),
    )?;
    let mut command = cargo();
    command
        .args(["build", "--lib", "--message-format=json-render-diagnostics"])
        .args(["--profile", profile])
        .arg("--manifest-path")
        .arg(manifest_path)
        .env("CARGO_ENCODED_RUSTFLAGS", flags);
    for package in packages {
        command.args(["--package", package]);
    }
    if let Some(directory) = target_dir {
        command.arg("--target-dir").arg(directory);
    }
    toolchain.apply(&mut command);

    let output = command
        .stderr(Stdio::inherit())
        .output()
        .context(CARGO_IS_MISSING)?;
    ensure!(
        output.status.success(),
        "{} did not compile; cargo's messages above say why",
        manifest_path.display()
    );
    let messages = String::from_utf8(output.stdout).context("cargo's messages are not UTF-8")?;
    modules(&messages)
}

/// The core modules that cargo's messages report, sorted, each once.
fn modules(messages: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    // A build script may print lines of its own between cargo's.
    for line in messages.lines().filter(|line| line.starts_with('{')) {
        let message: Value =
            serde_json::from_str(line).with_context(|| format!("cargo said {line:?}"))?;
        if message["reason"] != "compiler-artifact" {
            continue;
        }
        let files = message["filenames"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        found.extend(
            files
                .iter()
                .filter_map(Value::as_str)
                .map(PathBuf::from)
                .filter(|file| {
                    file.extension()
                        .is_some_and(|extension| extension == "wasm")
                }),
        );
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// The compiler's flags, as cargo wants them in one variable: separated by the unit separator.
///
/// Panic messages hold the paths of sources. Without these flags a guest would carry its builder's home directory, and the
/// same source would give other bytes on another machine.
fn rustflags(workspace: &Path, standard_library: Option<&Path>) -> Result<String> {
    let downloads = cargo_home().context("neither CARGO_HOME nor a home directory is set")?;
    let mut flags = vec![remap(workspace, "/guest")?, remap(&downloads, "/cargo")?];
    if let Some(directory) = standard_library {
        // The last flag that fits a path wins, and this directory may lie inside the workspace.
        flags.push(remap(directory, "/rust")?);
    }
    Ok(flags.join("\u{1f}"))
}

fn remap(from: &Path, to: &str) -> Result<String> {
    let from = from
        .to_str()
        .with_context(|| format!("the path {} is not UTF-8", from.display()))?;
    Ok(format!("--remap-path-prefix={from}={to}"))
}

fn workspace_root(manifest_path: &Path) -> Result<PathBuf> {
    let output = cargo()
        .args(["locate-project", "--workspace", "--message-format=plain"])
        .arg("--manifest-path")
        .arg(manifest_path)
        .output()
        .context(CARGO_IS_MISSING)?;
    ensure!(
        output.status.success(),
        "cargo cannot read {}:\n{}",
        manifest_path.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    let manifest = String::from_utf8(output.stdout)?;
    let root = Path::new(manifest.trim_end())
        .parent()
        .with_context(|| format!("cargo named {manifest:?} as the workspace's manifest"))?;
    Ok(root.to_path_buf())
}

fn cargo_home() -> Option<PathBuf> {
    match env::var_os("CARGO_HOME").filter(|home| !home.is_empty()) {
        Some(home) => Some(PathBuf::from(home)),
        None => env::home_dir().map(|home| home.join(".cargo")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_webassembly_files_of_artifacts_are_modules_and_each_counts_once() {
        let messages = concat!(
            r#"{"reason":"build-script-executed","out_dir":"/t/out.wasm"}"#,
            "\n",
            r#"{"reason":"compiler-artifact","filenames":["/t/libserde.rlib","/t/libserde.rmeta"]}"#,
            "\n",
            "a line of a build script\n",
            r#"{"reason":"compiler-artifact","filenames":["/t/b.wasm","/t/libb.rlib"]}"#,
            "\n",
            r#"{"reason":"compiler-artifact","filenames":["/t/a.wasm"]}"#,
            "\n",
            r#"{"reason":"compiler-artifact","filenames":["/t/b.wasm"]}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        let found = modules(messages).expect("these are messages of cargo");
        assert_eq!(
            found,
            [PathBuf::from("/t/a.wasm"), PathBuf::from("/t/b.wasm")]
        );
    }

    #[test]
    fn a_manifest_that_is_not_there_is_named() {
        let error =
            workspace_root(Path::new("/nowhere/Cargo.toml")).expect_err("there is no such file");
        assert!(error.to_string().contains("/nowhere/Cargo.toml"), "{error}");
    }

    #[test]
    fn the_standard_library_is_remapped_last_so_that_it_wins_inside_a_workspace() {
        let flags = rustflags(
            Path::new("/home/me/w"),
            Some(Path::new("/home/me/w/target/toolchain")),
        )
        .expect("these paths are UTF-8");
        let flags: Vec<&str> = flags.split('\u{1f}').collect();
        assert_eq!(flags[0], "--remap-path-prefix=/home/me/w=/guest");
        assert!(flags[1].ends_with("=/cargo"), "{flags:?}");
        assert_eq!(
            flags[2],
            "--remap-path-prefix=/home/me/w/target/toolchain=/rust"
        );
    }
}
