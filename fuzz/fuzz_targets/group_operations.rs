//! Fuzz target: `backstay_fuzz::group_operations`.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| backstay_fuzz::group_operations(data));

#[cfg(not(fuzzing))]
fn main() {}
