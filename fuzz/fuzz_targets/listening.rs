//! Fuzz target: `backstay_fuzz::listening`.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| backstay_fuzz::listening(data));

#[cfg(not(fuzzing))]
fn main() {}
