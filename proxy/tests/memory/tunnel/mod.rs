//! Connections that are switched to another protocol.

mod bytes;
mod drain;
mod ends;
mod failover;
mod loss;
mod support;
mod switch;
mod tls;
