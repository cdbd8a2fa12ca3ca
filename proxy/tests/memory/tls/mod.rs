//! TLS with clients and with peers.

mod clients;
mod limits;
mod peers;
mod reload;
