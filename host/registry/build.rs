//! Rebuilds the crate when a migration is added: `sqlx::migrate!` alone sees only changes of files that it already knew.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
