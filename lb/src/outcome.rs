//! How an attempt ended, as facts.

use std::time::Duration;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The peer answered with a final response head.
    Answered {
        /// The status of the head.
        status: u16,
        /// `Retry-After`, when the head had one that could be read.
        retry_after: Option<Duration>,
    },
    /// The client left, or nobody needed the answer any more.
    Cancelled,
    /// There was no usable answer.
    Failed(Failure),
    /// Our own refusal or lack of resources; says nothing about the peer.
    Local,
}

/// Why there was no usable answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Failure {
    /// What happened.
    pub cause: Cause,
    /// How much of the request was written.
    pub sent: Sent,
    /// How much of the response was read.
    pub received: Received,
    /// Whether the connection had served a request before.
    pub reused: bool,
}

/// What made an attempt fail.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Cause {
    /// The response body ended early.
    BodyAborted,
    /// The peer closed the connection in order.
    Closed,
    /// No connection could be made: name not resolved, refused, unreachable.
    Connect,
    /// No connection was made in time.
    ConnectTimeout,
    /// No response head came in time.
    HeadTimeout,
    /// The peer was declared down while the request waited for its head.
    Lost,
    /// The response could not be parsed, or broke the protocol.
    Malformed,
    /// The peer refused the stream before it looked at the request (RFC 9113 §8.7).
    Refused,
    /// The peer reset the connection or the stream.
    Reset,
    /// The TLS handshake failed.
    Tls,
    /// The request was handed back unsent: stale pooled connection, or a `GOAWAY` below its stream
    /// (RFC 9113 §8.7).
    Unprocessed,
}

/// How much of a request was written to the connection.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Sent {
    /// Not a byte.
    Nothing,
    /// Some of it.
    Partial,
    /// All of it.
    Full,
}

/// How much of a response was read from the connection.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Received {
    /// Not a byte.
    Nothing,
    /// Some of a final head.
    Partial,
    /// A final head.
    Head,
}
