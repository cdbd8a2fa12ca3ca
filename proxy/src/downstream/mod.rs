//! Towards the clients: accepting, and one connection.

mod accept;
mod activity;
mod connection;
mod handshake;
mod registry;
mod watched;

pub(crate) use accept::{Admission, Door, Listening, Worker, accept_loop, arrive_loop};
pub(crate) use connection::HYPER_HEADERS;
pub(crate) use registry::Registry;
