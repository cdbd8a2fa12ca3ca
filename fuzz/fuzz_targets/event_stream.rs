//! Fuzz target: `backstay_fuzz::event_stream`.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| backstay_fuzz::event_stream(data));

#[cfg(not(fuzzing))]
fn main() {}
