//! HTTP/1.1 towards a peer.

mod connection;
mod counted;

pub(crate) use connection::Connection;
