//! Towards the peers: connecting, the exchange on one connection, idle connections.

mod connect;
mod connection;
pub(crate) mod h1;
mod h2;
mod head;
mod limit;
mod pool;
mod race;

pub(crate) use connect::{ConnectError, connect, is_exhaustion, offered, open, speaks_http2};
pub(crate) use connection::{BodyError, Connection, ExchangeError, HeadLimits, Line};
pub(crate) use h1::Fault;
pub(crate) use h2::{Bounds, Shared};
pub use head::UpstreamHead;
pub(crate) use limit::exceeded;
pub(crate) use pool::Pools;
