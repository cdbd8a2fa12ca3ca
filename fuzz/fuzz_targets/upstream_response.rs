//! Fuzz target: `backstay_fuzz::upstream_response`.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| backstay_fuzz::upstream_response(data));

#[cfg(not(fuzzing))]
fn main() {}
