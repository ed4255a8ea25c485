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
        Some(("wasi:sockets", _)) => "WASI: there in name alone, and using it fails the call",
        Some((package, _)) if package.starts_with("wasi:") => {
            "part of the WASI that its language brings: no file, network, argument or variable is behind it"
        }
        _ => "unknown to this version: it would be refused",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_interface_of_the_contract_is_known_in_any_version() {
        assert!(allows("airlock:guest/dify@0.1.0").contains("Dify app"));
        assert!(allows("airlock:guest/client@0.2.0").contains("progress"));
        assert!(allows("airlock:guest/types@0.1.0").contains("no ability"));
        assert!(allows("wasi:cli/environment@0.2.0").contains("WASI"));
        assert!(allows("other:guest/dify@0.1.0").contains("unknown"));
        assert!(allows("launch").contains("unknown"));
    }
}
