//! Response bodies: one enum, nothing boxed on the way of a chunk.

use crate::hooks::Hooks;
use crate::network::Network;
use crate::relay::Relay;
use crate::tunnel::Tunnel;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The body of a response on its way downstream.
pub(crate) enum Body<N: Network, H: Hooks> {
    /// An answer of the proxy's own.
    Full(Bytes),
    /// A peer's answer, relayed as it comes.
    Relay(Box<Relay<N, H>>),
    /// None: bytes both ways follow the head, and this moves them.
    Tunnel(Box<Tunnel<N, H>>),
}

impl<N: Network, H: Hooks> Body<N, H> {
    /// Whether it may go on for hours.
    pub(crate) fn may_last(&self) -> bool {
        matches!(self, Self::Relay(relay) if relay.may_last())
    }

    pub(crate) fn is_tunnel(&self) -> bool {
        matches!(self, Self::Tunnel(_))
    }

    /// The tunnel that follows the head, if one does.
    pub(crate) fn take_tunnel(&mut self) -> Option<Box<Tunnel<N, H>>> {
        match std::mem::replace(self, Self::Full(Bytes::new())) {
            Self::Tunnel(tunnel) => Some(tunnel),
            other => {
                *self = other;
                None
            }
        }
    }
}

/// The peer cut its response: the client's connection is cut too, so that it does not take half
/// an answer for a whole one (RFC 9112 §8).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the peer cut its response")
    }
}

impl std::error::Error for Cut {}

/// Whether it is a piece of which nothing goes out now: its peer sent none, or a transformation
/// waits for more.
fn is_held_back(polled: &Poll<Option<Result<Frame<Bytes>, Cut>>>) -> bool {
    let Poll::Ready(Some(Ok(frame))) = polled else {
        return false;
    };
    frame.data_ref().is_some_and(Bytes::is_empty)
}

impl<N: Network, H: Hooks> HttpBody for Body<N, H> {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.get_mut() {
            Self::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Relay(relay) => loop {
                let polled = relay.poll_frame(cx);
                // Over HTTP/2 it would be a frame that carries nothing, and clients end the
                // connection after some of these (CVE-2019-9518; h2 counts a hundred).
                if !is_held_back(&polled) || relay.is_end_stream() {
                    return polled;
                }
            },
            Self::Tunnel(_) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(bytes) => bytes.is_empty(),
            Self::Relay(relay) => relay.is_end_stream(),
            Self::Tunnel(_) => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Relay(relay) => relay.size_hint(),
            Self::Tunnel(_) => SizeHint::with_exact(0),
        }
    }
}
