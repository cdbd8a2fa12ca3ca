//! Towards the clients: accepting, and one connection.

mod accept;
mod activity;
mod connection;
mod frames;
mod handshake;
mod http1;
mod http2;
mod registry;
mod respond;
mod sniff;
mod streams;
mod upload_pace;
mod watched;

pub(crate) use accept::{Admission, Door, Listening, Worker, accept_loop, arrive_loop};
pub(crate) use registry::Registry;
