//! A compiler for guests: the active toolchain's, or Debian's.

use std::env;
use std::path::Path;

use airlock_guest_build::{TARGET, Toolchain, VARIABLE};
use anyhow::Result;

use crate::debian;

/// Returns a toolchain for guests and says which; on Debian it is fetched into `target/toolchain` if need be.
pub(crate) fn ensure(workspace: &Path) -> Result<Toolchain> {
    if let Some(active) = Toolchain::active()? {
        println!("guests: the active Rust toolchain has {TARGET}");
        return Ok(active);
    }
    let directory = workspace.join("target/toolchain");
    if env::var_os(VARIABLE).is_some_and(|named| !named.is_empty())
        || !(directory.is_dir() || debian::is_here())
    {
        return Toolchain::find();
    }
    if !directory.is_dir() {
        debian::fetch(&directory)?;
    }
    println!("guests: {TARGET} comes from {}", directory.display());
    Toolchain::unpacked(&directory)
}
