//! From a core module to a component.

use anyhow::{Context, Result, bail, ensure};
use wasmparser::Parser;
use wit_component::{ComponentEncoder, metadata};

/// Makes a component of a core module that carries its component type, and checks that it is valid.
///
/// # Errors
/// When the bytes are no core module, carry no component type, or import something that their component type does not
/// name; the text says which.
pub fn componentize(core_module: &[u8]) -> Result<Vec<u8>> {
    if Parser::is_component(core_module) {
        bail!("this is a component already: it can be used as it is");
    }
    ensure!(
        Parser::is_core_wasm(core_module),
        "this is not a WebAssembly module"
    );

    // The encoder would make an empty component of a module without a type, and say nothing.
    let (typed, _) = metadata::decode(core_module).context("this WebAssembly module is damaged")?;
    ensure!(
        typed.is_some(),
        "this module carries no component type: does the crate call airlock_guest::export! ?"
    );

    ComponentEncoder::default()
        .validate(true)
        .module(core_module)
        .and_then(|encoder| encoder.encode())
        .context("this module does not fit the contract that it names")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(bytes: &[u8]) -> String {
        componentize(bytes)
            .expect_err("no component can be made of these bytes")
            .to_string()
    }

    #[test]
    fn a_module_without_a_component_type_is_asked_for_its_export() {
        assert!(refusal(b"\0asm\x01\0\0\0").contains("airlock_guest::export!"));
    }

    #[test]
    fn a_component_is_not_wrapped_again() {
        assert!(refusal(b"\0asm\x0d\0\x01\0").contains("a component already"));
    }

    #[test]
    fn what_is_no_webassembly_is_called_so() {
        assert_eq!(refusal(b"#!/bin/sh\n"), "this is not a WebAssembly module");
        assert_eq!(refusal(b""), "this is not a WebAssembly module");
    }

    #[test]
    fn a_truncated_module_is_called_damaged() {
        assert!(refusal(b"\0asm\x01\0\0\0\x01\x7f").contains("damaged"));
    }
}
