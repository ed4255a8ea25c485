//! What a guest may do, in words: a guest's imports are its permissions, and it has no others.

/// What an import lets a guest do.
#[must_use]
pub fn allows(import: &str) -> &'static str {
    let name = import.split('@').next().unwrap_or(import);
    match name.rsplit_once('/') {
        Some(("airlock:guest", "dify")) => "may run the Dify app that it serves, and no other",
        Some(("airlock:guest", "client")) => {
            "may report progress to the client that called it, log, and wait"
        }
        Some(("airlock:guest", "types")) => "names for data, no ability",
        _ => "unknown to this version: it would be refused",
    }
}
