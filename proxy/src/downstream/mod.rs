//! Towards the clients: accepting, and one connection.

mod accept;
mod activity;
mod admission;
mod close;
mod connection;
mod frames;
mod handshake;
mod http1;
mod http2;
mod linger;
mod registry;
mod respond;
mod sniff;
mod streams;
mod upgraded;
mod upload_pace;
mod watched;

pub(crate) use accept::{Door, Listening, Terms, Worker, accept_loop, arrive_loop};
pub(crate) use admission::Admission;
pub(crate) use close::Close;
pub(crate) use registry::{Origin, Registry};
