//! Fuzz target: `backstay_fuzz::config_file`.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| backstay_fuzz::config_file(data));

#[cfg(not(fuzzing))]
fn main() {}
