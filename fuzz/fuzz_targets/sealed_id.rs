//! Fuzz target: `backstay_fuzz::sealed_id`.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| backstay_fuzz::sealed_id(data));

#[cfg(not(fuzzing))]
fn main() {}
