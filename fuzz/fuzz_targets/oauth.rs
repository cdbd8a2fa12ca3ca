//! Fuzz target: `backstay_fuzz::oauth`.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| backstay_fuzz::oauth(data));

#[cfg(not(fuzzing))]
fn main() {}
