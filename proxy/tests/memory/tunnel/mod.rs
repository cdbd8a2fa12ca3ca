//! Connections that are switched to another protocol.

mod bytes;
mod drain;
mod ends;
mod failover;
mod http2_clients;
mod http2_peers;
mod loss;
mod support;
mod switch;
mod tls;
