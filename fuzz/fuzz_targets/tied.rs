//! Fuzz target: `backstay_fuzz::tied`.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| backstay_fuzz::tied(data));

#[cfg(not(fuzzing))]
fn main() {}
