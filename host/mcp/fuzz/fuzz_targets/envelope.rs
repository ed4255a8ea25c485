//! `cargo fuzz run envelope`

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| airlock_mcp_fuzz::envelope(data));
