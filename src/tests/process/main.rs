//! The program as its users have it: started as a process, asked over TCP, ended by signals.
//!
//! Every wait is for something that happens (a line of the log, an answer, the end of a process)
//! and has a bound far above anything that a slow machine needs.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod admin;
mod check;
#[cfg(feature = "demo")]
mod demo;
mod examples;
mod logs;
mod names;
mod program;
mod reload;
mod request;
mod secure;
mod shutdown;
mod status;
mod tls;
mod unix;
mod upstream;
