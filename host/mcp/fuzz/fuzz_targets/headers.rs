//! `cargo fuzz run headers`

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| airlock_mcp_fuzz::headers(data));
