//! A compiler for WebAssembly of Debian's packages, for machines where rustup can download nothing.
//!
//! The packages are unpacked and not installed: that needs no root, and `rustc-web` would displace Debian's `rustc`.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::time::Instant;

use airlock_guest_build::{TARGET, WRAPPER};
use anyhow::{Context, Result, ensure};

use crate::process::{exists, output, run};

/// Debian's newer compiler, which it keeps beside its stable one for browsers.
const COMPILER: &str = "rustc-web";
/// The sources of its standard library; no package depends on them.
const SOURCES: &str = "rust-web-src";

/// Does this machine have Debian's package tools?
pub(crate) fn is_here() -> bool {
    exists("apt-get") && exists("dpkg")
}

/// Downloads and unpacks the compiler into `directory`, which appears only when it is whole.
pub(crate) fn fetch(directory: &Path) -> Result<()> {
    let start = Instant::now();
    let partial = directory.with_extension(format!("partial-{}", process::id()));
    fs::create_dir_all(&partial).with_context(|| format!("cannot make {}", partial.display()))?;
    let result = fill(&partial).and_then(|()| {
        match fs::rename(&partial, directory) {
            // Another run was quicker, and what it made is as good.
            Err(_) if directory.is_dir() => Ok(()),
            renamed => renamed.with_context(|| format!("cannot make {}", directory.display())),
        }
    });
    if partial.exists() {
        fs::remove_dir_all(&partial)
            .with_context(|| format!("cannot remove {}", partial.display()))?;
    }
    result.with_context(|| {
        format!("cannot get a compiler for {TARGET} from Debian; with rustup, type\n\n    rustup target add {TARGET}\n")
    })?;
    println!(
        "guests: fetched Debian's compiler in {} s",
        start.elapsed().as_secs()
    );
    Ok(())
}

fn fill(directory: &Path) -> Result<()> {
    println!(
        "guests: the active Rust toolchain lacks {TARGET}; fetching Debian's {COMPILER} (140 MB)"
    );
    // Package lists that are missing or old are the usual state of a container; only root can renew them.
    if let Err(error) = download(directory) {
        ensure!(
            output(Command::new("id").arg("-u"))?.trim() == "0",
            "{error:#}\nif the package lists are old or missing, type `sudo apt-get update` and try again"
        );
        run(Command::new("apt-get").args(["--quiet", "update"]))?;
        download(directory)?;
    }
    for package in packages_in(directory)? {
        run(Command::new("dpkg")
            .arg("--extract")
            .arg(&package)
            .arg(directory))?;
        fs::remove_file(&package)?;
    }
    drop_what_no_guest_needs(directory)?;
    write_wrapper(directory)
}

fn download(directory: &Path) -> Result<()> {
    let version = candidate(COMPILER)?;
    let wanted = env!("CARGO_PKG_RUST_VERSION");
    ensure!(
        Command::new("dpkg")
            .args(["--compare-versions", &version, "ge", wanted])
            .status()?
            .success(),
        "{COMPILER} is {version} here, and Rust {wanted} is needed"
    );
    run(Command::new("apt-get")
        // apt would rather download as its own user, who may not write here, and warns where it cannot.
        .args([
            "--quiet",
            "--option=APT::Sandbox::User=root",
            "download",
            SOURCES,
        ])
        .args(missing_packages()?)
        .current_dir(directory))
}

/// The version of a package that apt would install.
fn candidate(package: &str) -> Result<String> {
    let description =
        output(Command::new("apt-cache").args(["show", "--no-all-versions", package]))?;
    description
        .lines()
        .find_map(|line| line.strip_prefix("Version: "))
        .map(str::to_owned)
        .with_context(|| format!("apt knows no version of {package}"))
}

/// The compiler, and the libraries below it that are not installed: their names change with each of its versions.
fn missing_packages() -> Result<Vec<String>> {
    let tree = output(Command::new("apt-cache").args([
        "depends",
        "--recurse",
        "--no-recommends",
        "--no-suggests",
        "--no-conflicts",
        "--no-breaks",
        "--no-replaces",
        "--no-enhances",
        COMPILER,
    ]))?;
    let packages = output(
        Command::new("dpkg-query").args(["--show", "--showformat=${db:Status-Abbrev}${Package}\n"]),
    )?;
    Ok(choose(&tree, &packages))
}

fn choose(tree: &str, packages: &str) -> Vec<String> {
    let installed: HashSet<&str> = packages
        .lines()
        .filter_map(|line| line.strip_prefix("ii "))
        .collect();
    tree.lines()
        // Dependencies are indented, and virtual packages stand in angle brackets.
        .filter(|line| line.starts_with(|first: char| first.is_ascii_alphanumeric()))
        // A C compiler and its like are what the rest of the project needs as well.
        .filter(|name| *name == COMPILER || name.starts_with("lib"))
        // The compiler's own libraries must have its version and lie beside it, installed or not.
        .filter(|name| {
            *name == COMPILER || name.starts_with("libstd-rust") || !installed.contains(name)
        })
        .map(str::to_owned)
        .collect()
}

fn packages_in(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut packages = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            packages.push(path);
        }
    }
    Ok(packages)
}

/// The package of sources holds the whole compiler; cargo wants the standard library alone, and the rest is 360 MB.
fn drop_what_no_guest_needs(directory: &Path) -> Result<()> {
    for entry in fs::read_dir(directory.join("usr/src"))? {
        let sources = entry?.path();
        for unused in ["compiler", "src"] {
            fs::remove_dir_all(sources.join(unused))?;
        }
    }
    Ok(())
}

/// Cargo runs the compiler through this file, because the compiler's libraries lie where the system does not look.
fn write_wrapper(directory: &Path) -> Result<()> {
    let libraries = fs::read_dir(directory.join("usr/lib"))?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .find(|name| name.contains("-linux-"))
        .with_context(|| format!("no libraries in {}", directory.join("usr/lib").display()))?;
    let wrapper = directory.join(WRAPPER);
    let script = format!(
        "#!/bin/sh\n\
         root=${{0%/*}}\n\
         export LD_LIBRARY_PATH=\"$root/usr/lib/{libraries}:$root/lib/{libraries}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}\"\n\
         exec \"$root/usr/bin/rustc\" \"$@\"\n"
    );
    fs::write(&wrapper, script)?;
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))?;
    output(Command::new(&wrapper).arg("--version"))
        .context("the unpacked compiler does not start")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiler_comes_with_the_libraries_that_are_not_installed() {
        let tree = "rustc-web\n  Depends: libc6\n  Depends: gcc\n  Depends: <libc-dev>\nlibc6\ngcc\n<libc-dev>\n\
                    libstd-rust-web-dev\nlibllvm22\n";
        let packages = "ii libc6\nii libstd-rust-web-dev\nrc libllvm22\n";
        assert_eq!(
            choose(tree, packages),
            ["rustc-web", "libstd-rust-web-dev", "libllvm22"]
        );
    }
}
