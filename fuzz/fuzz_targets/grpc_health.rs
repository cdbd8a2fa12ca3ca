//! Fuzz target: `backstay_fuzz::grpc_health`.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| backstay_fuzz::grpc_health(data));

#[cfg(not(fuzzing))]
fn main() {}
