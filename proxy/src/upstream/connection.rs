//! One connection to a peer, whatever it speaks: the seam behind which the codecs stand.

use super::h1;
use super::head::UpstreamHead;
use crate::tls::Wire;
use crate::upload::UploadBody;
use bytes::Bytes;
use http::response;
use http_body::{Frame, SizeHint};
use std::error::Error;
use std::fmt;
use std::io;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite};

/// One connection to a peer, as one request uses it: an exchange, then the frames of its body.
///
/// It is polled inside the task of its request. Dropping it in the middle closes it, which tells
/// the peer that nobody reads.
#[derive(Debug)]
pub(crate) enum Connection<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> {
    /// HTTP/1.1.
    H1(h1::Connection<Wire<S>>),
}

/// Limits of a response head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadLimits {
    /// Bytes of the response head; what comes before it (1xx) may be as much again.
    pub(crate) head_size: usize,
    /// Fields of the response head.
    pub(crate) headers: usize,
}

/// Why an exchange brought no response head.
#[derive(Debug)]
pub(crate) enum ExchangeError {
    /// The client did not send its body.
    Client,
    /// The peer, or the connection to it.
    Peer {
        /// What happened.
        cause: lb::Cause,
        /// The request is known not to have been sent.
        unsent: bool,
        /// What the codec or the system said.
        source: Option<Box<dyn Error + Send + Sync>>,
    },
}

/// The peer did not send its whole body.
#[derive(Debug)]
pub(crate) struct BodyError(pub(crate) Box<dyn Error + Send + Sync>);

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the peer did not send its whole body")
    }
}

impl Error for BodyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Connection<S> {
    /// Speaks HTTP/1.1 on a new connection.
    pub(crate) async fn open(stream: Wire<S>, limits: HeadLimits) -> io::Result<Self> {
        h1::Connection::open(stream, limits).await.map(Self::H1)
    }

    /// Whether it served a request before this one.
    pub(crate) fn is_reused(&self) -> bool {
        match self {
            Self::H1(connection) => connection.is_reused(),
        }
    }

    /// Bytes written and read so far.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        match self {
            Self::H1(connection) => connection.bytes(),
        }
    }

    /// Whether an idle connection can take another request: it is looked at once, which costs a
    /// system call only if the reactor has seen something on it.
    pub(crate) fn is_usable(&mut self) -> bool {
        match self {
            Self::H1(connection) => connection.is_usable(),
        }
    }

    /// Sends a request and waits for the head of its response. `give_up` ends the wait.
    ///
    /// Cancelling drops the exchange; the connection must then be dropped too.
    pub(crate) async fn exchange<G>(
        &mut self,
        head: &UpstreamHead<'_>,
        body: UploadBody,
        limits: HeadLimits,
        give_up: impl FnMut(&Context<'_>) -> Poll<G>,
    ) -> Result<Result<response::Parts, ExchangeError>, G> {
        match self {
            Self::H1(connection) => connection.exchange(head, body, limits, give_up).await,
        }
    }

    /// Reads the next frame of the response body.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self {
            Self::H1(connection) => connection.poll_frame(cx),
        }
    }

    /// Whether the response body is known to have no further frame.
    pub(crate) fn is_end_stream(&self) -> bool {
        match self {
            Self::H1(connection) => connection.is_end_stream(),
        }
    }

    /// What is known of the length of the rest of the response body.
    pub(crate) fn size_hint(&self) -> SizeHint {
        match self {
            Self::H1(connection) => connection.size_hint(),
        }
    }

    /// Lets a local task send the rest of the upload, when it goes on after the response head:
    /// the client may read nothing until its upload has ended.
    pub(crate) fn detach(&mut self) {
        match self {
            Self::H1(connection) => connection.detach(),
        }
    }

    /// Whether another request may follow, now that the response was read to its end.
    pub(crate) fn is_idle(&mut self, cx: &mut Context<'_>) -> bool {
        match self {
            Self::H1(connection) => connection.is_idle(cx),
        }
    }
}
