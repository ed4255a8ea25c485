//! The components that `make guests` built.

use std::path::{Path, PathBuf};

/// The workspace's directory.
#[must_use]
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate lies in the workspace")
        .to_owned()
}

/// Names another directory than `target/guests`, as `cargo xtask guests --out` does.
const DIRECTORY: &str = "AIRLOCK_GUESTS";

/// The component of a guest crate.
///
/// # Panics
/// When it is not built: `make guests` does that.
#[must_use]
pub fn component(package: &str) -> Vec<u8> {
    let directory = std::env::var_os(DIRECTORY).unwrap_or_else(|| "target/guests".into());
    let path = workspace()
        .join(directory)
        .join(package)
        .with_extension("wasm");
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run `make guests`", path.display()))
}

/// The built-in guest with a custom section at its end, which says nothing and makes it a component of its own.
#[must_use]
pub fn variant(number: usize) -> Vec<u8> {
    const NAME: &[u8; 5] = b"tests";
    let number = (number as u64).to_le_bytes();
    let size = 1 + NAME.len() + number.len();
    // Both fit into the one byte of a short LEB128 number.
    let section = [&[0, size as u8, NAME.len() as u8], NAME.as_slice(), &number].concat();
    [airlock::guests::built_in(), &section].concat()
}
