//! `cargo fuzz run tokens`

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| airlock_mcp_fuzz::tokens(data));
