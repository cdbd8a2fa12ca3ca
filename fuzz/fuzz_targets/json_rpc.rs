//! Fuzz target: `backstay_fuzz::json_rpc`.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| backstay_fuzz::json_rpc(data));

#[cfg(not(fuzzing))]
fn main() {}
