//! The mechanism of backstay: listeners, the request loop, attempts, pools, health probes, hooks.

mod attempts;
mod body;
pub mod clock;
mod downstream;
pub mod error;
mod events;
mod exchange;
mod forward;
pub mod gateway;
pub mod group;
mod guard;
pub mod guide;
mod headers;
pub mod hooks;
mod hop;
pub mod known;
pub mod mcp;
#[cfg(feature = "memory")]
pub mod memory;
pub mod metrics;
pub mod network;
mod pace;
mod prober;
mod relay;
pub mod reply;
pub mod route;
pub mod server;
pub mod session;
pub mod settings;
mod thread;
mod ticker;
pub mod tls;
mod transaction;
mod upload;
mod upstream;
