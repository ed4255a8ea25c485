//! Finds the default guest, which the host carries in its own binary.

use std::env;
use std::path::Path;

/// Names another component to embed.
const VARIABLE: &str = "AIRLOCK_DEFAULT_GUEST";

fn main() {
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the host lies in the workspace's directory");
    let guest = match env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
        // `include_bytes!` would look for a relative path beside the source that names it.
        Some(path) => workspace.join(path),
        None => workspace.join("target/guests/airlock-guest-default.wasm"),
    };
    // Also while it is missing: cargo then looks again at each build.
    println!("cargo::rerun-if-changed={}", guest.display());
    if guest.is_file() {
        println!(
            "cargo::rustc-env=AIRLOCK_DEFAULT_GUEST_PATH={}",
            guest.display()
        );
    } else {
        println!(
            "cargo::error=the default guest is not built: there is no {}; type `make guests`",
            guest.display()
        );
    }
}
