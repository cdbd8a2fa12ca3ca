//! Fuzz target: `backstay_fuzz::mcp_head`.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| backstay_fuzz::mcp_head(data));

#[cfg(not(fuzzing))]
fn main() {}
