//! HTTP/2 towards a peer: one connection carries the requests of many clients of a thread.

mod connect;
mod counted;
mod dials;
mod driver;
mod exchange;
mod failure;
mod pipe;
mod pool;
mod pump;
mod request;
mod shared;

pub(crate) use dials::Dials;
pub(crate) use exchange::Exchange;
pub(crate) use pipe::Pipe;
pub(crate) use pool::SharedPool;
pub(crate) use shared::{Bounds, Shared};
