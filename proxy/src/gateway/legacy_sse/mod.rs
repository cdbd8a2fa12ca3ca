//! HTTP+SSE (MCP 2024-11-05): streams that outlive their peers, and the messages sent for them
//! (rule 17).
//!
//! A client opens an event stream and is told there where to send its messages: to an address of
//! ours. Answers come on the stream. When the peer is lost, another stream takes the place of its
//! own behind the client's: what was asked and not answered is told, or asked again if it may be.

mod body;
mod endpoint;
mod message;
mod reopen;
mod stream;
mod streams;

pub(super) use body::Body;
pub(super) use endpoint::{Asker, Endpoint};
pub(super) use message::{Message, answered, failed, relocate, target};
use reopen::reopen;
pub(super) use stream::LegacyStream;
pub(super) use streams::{Open, Streams};

/// The part a request has in a legacy stream.
#[derive(Debug)]
pub(super) enum Legacy {
    /// It is a message for one that is open here.
    Message(Message),
    /// It holds one open.
    Stream(Open),
}
