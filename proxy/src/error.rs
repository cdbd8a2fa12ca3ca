//! What can go wrong with an attempt, and with a request as a whole.

use lb::{Delivery, Failure, NoPeer, PeerIndex};
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

/// How far an attempt had come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    /// Getting a connection.
    Connect,
    /// Sending the request.
    Send,
    /// Waiting for the response head.
    Head,
    /// Relaying the response body.
    Body,
}

/// Why an attempt failed.
#[derive(Clone, Debug)]
pub struct AttemptError {
    /// How far it had come.
    pub phase: Phase,
    /// What happened, as the one classifier wants it: cause, what was sent and received, and
    /// whether the connection had served before.
    pub failure: Failure,
    /// Which peer.
    pub peer: PeerIndex,
    /// What the operating system or hyper said.
    pub source: Option<Arc<dyn Error + Send + Sync>>,
}

impl fmt::Display for AttemptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(describe(self.failure.cause))
    }
}

/// What happened, in a few words.
pub(crate) fn describe(cause: lb::Cause) -> &'static str {
    match cause {
        lb::Cause::BodyAborted => "the peer cut its response",
        lb::Cause::Closed => "the peer closed the connection without a response",
        lb::Cause::Connect => "no connection",
        lb::Cause::ConnectTimeout => "no connection in time",
        lb::Cause::HeadTimeout => "no response head in time",
        lb::Cause::Lost => "the peer was lost while the request waited on it",
        lb::Cause::Malformed => "the peer sent no valid HTTP",
        lb::Cause::Reset => "the peer reset the connection",
        lb::Cause::Tls => "no TLS session",
        lb::Cause::Refused => "the peer refused the stream",
        lb::Cause::Unprocessed => "the connection had ended before the request was sent",
    }
}

impl Error for AttemptError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}

/// Why a request got no answer from a peer.
#[derive(Clone, Debug)]
pub enum ProxyError {
    /// The last attempt failed, and there is no other.
    Attempt(AttemptError),
    /// Our own resources are exhausted (descriptors, ports): no peer's fault.
    Exhausted(Arc<io::Error>),
    /// A hook refused.
    Hook(&'static str),
    /// No peer can be asked.
    NoPeer(NoPeer),
    /// The request has run longer than it may.
    Total(Delivery),
}

impl ProxyError {
    /// Whether the request may have reached a peer.
    pub fn delivery(&self) -> Delivery {
        match self {
            Self::Attempt(error) => match error.failure.sent {
                lb::Sent::Nothing => Delivery::NotSent,
                lb::Sent::Partial | lb::Sent::Full => Delivery::Unknown,
            },
            Self::Exhausted(_) | Self::Hook(_) | Self::NoPeer(_) => Delivery::NotSent,
            Self::Total(delivery) => *delivery,
        }
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attempt(_) => f.write_str("every attempt failed"),
            Self::Exhausted(_) => f.write_str("the proxy is out of descriptors or ports"),
            Self::Hook(why) => write!(f, "refused: {why}"),
            Self::NoPeer(NoPeer::AllOpen { .. }) => f.write_str("every breaker is open"),
            Self::NoPeer(NoPeer::Busy) => f.write_str("every peer is at its limit"),
            Self::NoPeer(NoPeer::NoneServes) => f.write_str("no peer serves such a request"),
            Self::NoPeer(NoPeer::NoneUsable) => f.write_str("no usable peer"),
            Self::NoPeer(NoPeer::PinLost(..)) => f.write_str("the pinned peer is lost"),
            Self::Total(_) => f.write_str("the request has run longer than it may"),
        }
    }
}

impl Error for ProxyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Attempt(error) => Some(error),
            Self::Exhausted(error) => Some(&**error),
            _ => None,
        }
    }
}
