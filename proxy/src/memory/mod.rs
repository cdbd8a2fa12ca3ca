//! An in-memory network with scripted faults: the whole proxy in one process, in virtual time.
//!
//! Hosts are IP addresses. A connection is two bounded byte pipes; bytes, ends of streams and
//! resets arrive at once and in order, so a run depends on nothing but its seed. Meant for one
//! current-thread runtime with paused time:
//!
//! ```text
//! network.rs   hosts, names, listening, connecting: the `Network` of a simulation
//! host.rs      what a host does to those who connect: accept, refuse, hang, be dead or frozen
//! link.rs      one connection: reset, freeze, cut
//! pipe.rs      one direction of it
//! stream.rs    one end of it, as tokio reads and writes it
//! listener.rs  what waits to be accepted
//! ```
//!
//! Besides: [`replay`], the codec for peers over a script of bytes.

pub mod example;
mod host;
mod link;
mod listener;
mod network;
mod pipe;
mod stream;

pub use crate::upstream::h1::replay::{Replayed, replay};
pub use host::Connecting;
pub use link::Cut;
pub use listener::MemoryListener;
pub use network::{Flow, MemoryNetwork};
pub use stream::MemoryStream;
