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

/// The component of a guest crate.
///
/// # Panics
/// When it is not built: `make guests` does that.
#[must_use]
pub fn component(package: &str) -> Vec<u8> {
    let path = workspace()
        .join("target/guests")
        .join(package)
        .with_extension("wasm");
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run `make guests`", path.display()))
}
