//! HTTP/1.1 towards a peer: our own codec, strict where RFC 9112 leaves no choice.
//!
//! `connection.rs` is one connection, `output.rs` its request and `input.rs` its bytes that came;
//! `encode.rs` writes heads, `decode.rs` reads them, `interim.rs` bounds 1xx, `body.rs` and
//! `chunked.rs` read bodies. It knows nothing of attempts, peers or clocks.

mod body;
mod chunked;
mod connection;
mod decode;
mod encode;
mod fault;
mod input;
mod interim;
mod output;
mod pump;
#[cfg(any(test, feature = "memory"))]
pub(crate) mod replay;
#[cfg(test)]
mod tests;
mod trailers;

pub(crate) use connection::Connection;
pub(crate) use fault::Fault;
