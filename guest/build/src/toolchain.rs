//! How this machine compiles for WebAssembly.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// What guests are compiled for: no WASI, so that a guest imports its contract and nothing else.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// The environment variable that names the directory of an unpacked compiler; see [`Toolchain::unpacked`].
pub const VARIABLE: &str = "AIRLOCK_WASM_TOOLCHAIN";

/// The file in an unpacked compiler's directory that runs it.
pub const WRAPPER: &str = "rustc";

/// A way to compile for [`TARGET`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// The compiler that cargo finds by itself has the target's standard library.
    Active,
    /// Another compiler, with the sources of its standard library; the linker is the active toolchain's.
    Unpacked {
        root: PathBuf,
        rustc: PathBuf,
        linker: PathBuf,
    },
}

impl Toolchain {
    /// The active toolchain where it has the target, else the directory that [`VARIABLE`] names.
    ///
    /// # Errors
    /// Without either, the text is the line that a user of rustup types.
    pub fn find() -> Result<Self> {
        if let Some(active) = Self::active()? {
            return Ok(active);
        }
        match env::var_os(VARIABLE).filter(|directory| !directory.is_empty()) {
            Some(directory) => Self::unpacked(Path::new(&directory)).with_context(|| {
                format!("{VARIABLE} does not name a directory with a compiler for {TARGET}")
            }),
            None => bail!(
                "the Rust compiler cannot compile for {TARGET} yet. Type\n\n    rustup target add {TARGET}\n"
            ),
        }
    }

    /// The active toolchain, if it has the target's standard library.
    ///
    /// # Errors
    /// When `rustc` cannot be run.
    pub fn active() -> Result<Option<Self>> {
        // rustc prints the directory whether or not it is there.
        let [libraries] = ask_rustc(["--print=target-libdir", "--target", TARGET])?;
        Ok(has_standard_library(Path::new(&libraries)).then_some(Self(Kind::Active)))
    }

    /// A compiler in a directory of its own, as `cargo xtask toolchain` makes it of Debian's packages: [`WRAPPER`] in it
    /// runs the compiler, and the sources of the standard library lie in the compiler's sysroot. Each target directory
    /// compiles the standard library once.
    ///
    /// # Errors
    /// When the directory has no [`WRAPPER`], or the active toolchain has no `rust-lld`.
    pub fn unpacked(directory: &Path) -> Result<Self> {
        let root = directory
            .canonicalize()
            .with_context(|| format!("cannot find {}", directory.display()))?;
        let rustc = root.join(WRAPPER);
        ensure!(rustc.is_file(), "{} is missing", rustc.display());

        let [sysroot, host] = ask_rustc(["--print=sysroot", "--print=host-tuple"])?;
        let linker = Path::new(&sysroot)
            .join("lib/rustlib")
            .join(host)
            .join("bin")
            .join(format!("rust-lld{}", env::consts::EXE_SUFFIX));
        ensure!(
            linker.is_file(),
            "the active Rust toolchain has no linker for WebAssembly at {}; a toolchain installed by rustup has",
            linker.display()
        );
        Ok(Self(Kind::Unpacked {
            root,
            rustc,
            linker,
        }))
    }

    /// Adds what makes cargo use this toolchain to a `cargo build` command.
    pub(crate) fn apply(&self, cargo: &mut Command) {
        cargo.args(["--target", TARGET]);
        match &self.0 {
            Kind::Active => {}
            Kind::Unpacked { rustc, linker, .. } => {
                // Debian compiles the target's standard library for its own clang; only the sources are of use here, and
                // cargo compiles them behind an unstable flag.
                cargo
                    .arg("-Zbuild-std=std,panic_abort")
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("RUSTC", rustc)
                    .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
            }
        }
    }

    /// Where the sources of the standard library lie, if they are compiled along.
    pub(crate) fn standard_library(&self) -> Option<&Path> {
        match &self.0 {
            Kind::Active => None,
            Kind::Unpacked { root, .. } => Some(root),
        }
    }
}

/// Cargo, as the one that started this process names itself.
pub fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
}

fn has_standard_library(directory: &Path) -> bool {
    fs::read_dir(directory).is_ok_and(|files| {
        files.flatten().any(|file| {
            let name = file.file_name();
            let name = name.to_string_lossy();
            name.starts_with("libstd-") && name.ends_with(".rlib")
        })
    })
}

/// Asks the active compiler for `N` lines.
fn ask_rustc<const N: usize, const M: usize>(arguments: [&str; M]) -> Result<[String; N]> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    let output = Command::new(&rustc)
        .args(arguments)
        .output()
        .with_context(|| {
            format!(
                "cannot run {}; Rust is installed from https://rustup.rs",
                rustc.display()
            )
        })?;
    ensure!(
        output.status.success(),
        "{} {} failed:\n{}",
        rustc.display(),
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    let lines: Vec<String> = String::from_utf8(output.stdout)?
        .lines()
        .map(str::to_owned)
        .collect();
    <[String; N]>::try_from(lines).map_err(|lines| {
        anyhow::anyhow!(
            "{} answered with {} lines instead of {N}",
            rustc.display(),
            lines.len()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_without_a_compiler_is_refused_by_the_name_of_the_missing_file() {
        let error = Toolchain::unpacked(&env::temp_dir())
            .expect_err("no compiler lies in the temporary directory");
        assert!(error.to_string().ends_with("rustc is missing"), "{error}");
    }

    #[test]
    fn a_target_is_installed_when_its_standard_library_is_there_and_not_for_its_directory_alone() {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        assert!(!has_standard_library(directory.path()));
        assert!(!has_standard_library(&directory.path().join("absent")));
        fs::write(directory.path().join("libstd-0123.rlib"), "")
            .expect("the directory is writable");
        assert!(has_standard_library(directory.path()));
    }

    #[test]
    fn a_compiler_that_cannot_know_the_question_is_reported_with_its_own_words() {
        let error =
            ask_rustc::<1, 1>(["--print=no-such-fact"]).expect_err("rustc knows no such fact");
        assert!(error.to_string().contains("no-such-fact"), "{error}");
    }
}
