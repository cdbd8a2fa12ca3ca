//! An in-memory network with scripted faults: the whole proxy in one process, in virtual time.
//!
//! Hosts are IP addresses. A connection is two bounded byte pipes; bytes, ends of streams and
//! resets arrive in order, and at once unless the way between two hosts is said to take time, so a
//! run depends on nothing but its seed. Meant for one current-thread runtime with paused time:
//!
//! ```text
//! network.rs   hosts, listening, connecting: the `Network` of a simulation
//! names.rs     what is answered to who asks for a name: addresses, an error, nothing
//! trouble.rs   between hosts: slow ways, ways cut in one direction or both, forgotten connections
//! host.rs      what a host does to those who connect: accept, refuse, hang, be dead or frozen
//! link.rs      one connection: reset, freeze, cut, hold
//! pipe.rs      one direction of it
//! passage.rs   latency, jitter and width of a direction
//! stream.rs    one end of it, as tokio reads and writes it
//! listener.rs  what waits to be accepted
//! ```
//!
//! Besides: [`replay`], the codec for peers over a script of bytes.

pub mod example;
mod host;
mod link;
mod listener;
mod names;
mod network;
mod passage;
mod pipe;
mod stream;
mod trouble;

pub use crate::upstream::h1::replay::{Replayed, replay};
pub use host::Connecting;
pub use link::Cut;
pub use listener::MemoryListener;
pub use network::{Flow, MemoryNetwork};
pub use passage::Passage;
pub use stream::MemoryStream;
pub use trouble::Forgotten;
