//! Every guest of the workspace, compiled and made a component.

use std::fs;
use std::path::{Path, PathBuf};

use airlock_guest_build::{cargo, compile_all, componentize};
use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::process::output;
use crate::toolchain;

/// Where guests stand. The second and third are directories of guests.
const DEFAULT: &str = "guest/default";
const DIRECTORIES: [&str; 2] = ["guest/examples", "tests/guests"];

/// Builds them all into `PACKAGE.wasm` in `directory`.
pub(crate) fn build(workspace: &Path, directory: &Path) -> Result<()> {
    let manifest = workspace.join("Cargo.toml");
    let packages = packages(workspace, &manifest)?;
    let packages: Vec<&str> = packages.iter().map(String::as_str).collect();
    ensure!(!packages.is_empty(), "the workspace has no guests");

    let toolchain = toolchain::ensure(workspace)?;
    // A directory of its own: cargo locks a target directory while it builds, and `cargo clean -p` must not reach in.
    let modules = compile_all(
        &manifest,
        &packages,
        "guest",
        Some(&directory.with_file_name("wasm")),
        &toolchain,
    )?;
    ensure!(
        modules.len() == packages.len(),
        "{} guests made {} modules; each needs `crate-type = [\"cdylib\"]` in its manifest",
        packages.len(),
        modules.len()
    );

    fs::create_dir_all(directory)
        .with_context(|| format!("cannot make {}", directory.display()))?;
    for module in modules {
        let bytes =
            fs::read(&module).with_context(|| format!("cannot read {}", module.display()))?;
        let component =
            componentize(&bytes).with_context(|| format!("cannot use {}", module.display()))?;
        let file = directory.join(component_name(&module)?);
        let state = if write_if_changed(&file, &component)? {
            ""
        } else {
            ", unchanged"
        };
        println!(
            "guests: {} ({} KiB{state})",
            file.display(),
            component.len().div_ceil(1024)
        );
    }
    Ok(())
}

/// The names of the packages that stand where guests do.
fn packages(workspace: &Path, manifest: &Path) -> Result<Vec<String>> {
    let metadata = output(
        cargo()
            .args([
                "metadata",
                "--no-deps",
                "--format-version=1",
                "--manifest-path",
            ])
            .arg(manifest),
    )?;
    let metadata: Value =
        serde_json::from_str(&metadata).context("cargo's metadata is not JSON")?;
    let packages = metadata["packages"]
        .as_array()
        .context("cargo's metadata has no packages")?;
    let mut names: Vec<String> = packages
        .iter()
        .filter_map(|package| {
            Some((
                package["name"].as_str()?,
                package["manifest_path"].as_str()?,
            ))
        })
        .filter(|(_, manifest)| is_guest(workspace, Path::new(manifest)))
        .map(|(name, _)| name.to_owned())
        .collect();
    names.sort();
    Ok(names)
}

fn is_guest(workspace: &Path, manifest: &Path) -> bool {
    let Some(directory) = manifest.parent() else {
        return false;
    };
    directory == workspace.join(DEFAULT)
        || DIRECTORIES
            .iter()
            .any(|parent| directory.parent() == Some(&workspace.join(parent)))
}

/// A component bears its package's name; cargo names the module after the library, with `_` for `-`.
fn component_name(module: &Path) -> Result<PathBuf> {
    let stem = module
        .file_stem()
        .and_then(|stem| stem.to_str())
        .with_context(|| format!("{} has no usable name", module.display()))?;
    Ok(PathBuf::from(stem.replace('_', "-")).with_extension("wasm"))
}

/// Leaves a file alone that is as it should be: the host would be built again when its time changes.
fn write_if_changed(file: &Path, bytes: &[u8]) -> Result<bool> {
    if fs::read(file).is_ok_and(|present| present == bytes) {
        return Ok(false);
    }
    let partial = file.with_extension("partial");
    fs::write(&partial, bytes).with_context(|| format!("cannot write {}", partial.display()))?;
    fs::rename(&partial, file).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_are_known_by_where_they_stand() {
        let guest = |manifest| is_guest(Path::new("/w"), Path::new(manifest));
        assert!(guest("/w/guest/default/Cargo.toml"));
        assert!(guest("/w/guest/examples/brief/Cargo.toml"));
        assert!(guest("/w/tests/guests/spin/Cargo.toml"));
        assert!(!guest("/w/guest/sdk/Cargo.toml"));
        assert!(!guest("/w/guest/examples/Cargo.toml"));
        assert!(!guest("/w/tests/Cargo.toml"));
    }

    #[test]
    fn a_component_bears_its_packages_name() {
        let name =
            component_name(Path::new("/t/airlock_guest_default.wasm")).expect("the name is plain");
        assert_eq!(name, Path::new("airlock-guest-default.wasm"));
    }
}
