//! Towards the peers: connecting, the exchange on one connection, idle connections.

mod connect;
mod connection;
mod h1;
mod head;
mod pool;

pub(crate) use connect::{ConnectError, connect, is_exhaustion, open};
pub(crate) use connection::{Connection, ExchangeError, HeadLimits};
pub use head::UpstreamHead;
pub(crate) use pool::Pools;
