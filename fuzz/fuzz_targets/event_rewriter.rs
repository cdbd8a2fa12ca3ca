//! Fuzz target: `backstay_fuzz::event_rewriter`.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| backstay_fuzz::event_rewriter(data));

#[cfg(not(fuzzing))]
fn main() {}
