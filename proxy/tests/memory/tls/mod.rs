//! TLS with clients and with peers.

mod clients;
mod limits;
mod negotiated;
mod peers;
mod reload;
