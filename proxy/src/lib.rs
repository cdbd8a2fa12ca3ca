//! The mechanism of backstay: listeners, the request loop, attempts, pools, health probes, hooks.

pub mod settings;
