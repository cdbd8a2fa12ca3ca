//! One connection to a peer, whatever it speaks: the seam behind which the codecs stand.

use super::h1;
use super::h2;
use super::head::UpstreamHead;
use crate::settings::Limits;
use crate::tls::Wire;
use crate::upload::UploadBody;
use bytes::Bytes;
use http::response;
use http_body::{Frame, SizeHint};
use std::error::Error;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::either::Either;

/// One connection to a peer, as one request uses it: an exchange, then the frames of its body.
///
/// It is polled inside the task of its request. Dropping it in the middle closes it, which tells
/// the peer that nobody reads.
#[derive(Debug)]
pub(crate) enum Connection<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> {
    /// HTTP/1.1.
    H1(h1::Connection<Wire<S>>),
    /// One request's part of an HTTP/2 connection.
    H2(h2::Exchange),
}

/// The peer's end of a tunnel: a connection that spoke HTTP/1.1, or a stream of one that speaks
/// HTTP/2.
pub(crate) type Line<S> = Either<Wire<S>, Box<h2::Pipe>>;

/// Limits of a response head, and of what frames its body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadLimits {
    /// Bytes of the response head; what comes before it (1xx) may be as much again.
    pub(crate) head_size: usize,
    /// Fields of the response head, and of the trailers.
    pub(crate) headers: usize,
    /// Interim responses.
    pub(crate) interim: u32,
    /// Bytes of chunk extensions in a body.
    pub(crate) extensions: usize,
    /// Bytes of trailers.
    pub(crate) trailers: usize,
}

impl HeadLimits {
    /// What the settings say.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            head_size: limits.upstream_head_size,
            headers: limits.headers,
            interim: limits.interim_responses,
            extensions: limits.chunk_extensions,
            trailers: limits.trailers,
        }
    }
}

/// Why an exchange brought no response head.
#[derive(Debug)]
pub(crate) enum ExchangeError {
    /// The client did not send its body.
    Client,
    /// It speaks HTTP/2, and its streams do not become tunnels.
    NoTunnel,
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

/// Why a response body stops short.
#[derive(Debug)]
pub(crate) enum BodyError {
    /// The client did not send the rest of its own body, so the peer cannot go on.
    Client,
    /// The peer, or the connection to it; what the codec or the system said.
    Peer(Box<dyn Error + Send + Sync>),
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Connection<S> {
    /// Speaks HTTP/1.1 on a new connection.
    pub(crate) fn http1(stream: Wire<S>) -> Self {
        Self::H1(h1::Connection::new(stream))
    }

    /// Whether it served a request before this one.
    pub(crate) fn is_reused(&self) -> bool {
        match self {
            Self::H1(connection) => connection.is_reused(),
            Self::H2(exchange) => exchange.is_reused(),
        }
    }

    /// Bytes written and read so far.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        match self {
            Self::H1(connection) => connection.bytes(),
            Self::H2(exchange) => exchange.bytes(),
        }
    }

    /// Whether an idle connection can take another request: it is looked at once, which costs a
    /// system call only if the reactor has seen something on it.
    pub(crate) fn is_usable(&mut self) -> bool {
        match self {
            Self::H1(connection) => connection.is_usable(),
            // The connection is shared already, and this was one request's.
            Self::H2(_) => false,
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
            Self::H2(exchange) => exchange.exchange(head, body, limits, give_up).await,
        }
    }

    /// Reads the next frame of the response body.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self {
            Self::H1(connection) => connection.poll_frame(cx),
            Self::H2(exchange) => exchange.poll_frame(cx),
        }
    }

    /// Whether the response body is known to have no further frame.
    pub(crate) fn is_end_stream(&self) -> bool {
        match self {
            Self::H1(connection) => connection.is_end_stream(),
            Self::H2(exchange) => exchange.is_end_stream(),
        }
    }

    /// What is known of the length of the rest of the response body.
    pub(crate) fn size_hint(&self) -> SizeHint {
        match self {
            Self::H1(connection) => connection.size_hint(),
            Self::H2(exchange) => exchange.size_hint(),
        }
    }

    /// Lets a local task send the rest of the upload, when it goes on after the response head:
    /// the client may read nothing until its upload has ended.
    pub(crate) fn detach(&mut self) {
        match self {
            Self::H1(connection) => connection.detach(),
            // It does by itself.
            Self::H2(_) => {}
        }
    }

    /// What is left of it for a tunnel, after a switch of protocols, and what was read beyond the
    /// head.
    pub(crate) fn into_line(self) -> Option<(Line<S>, Bytes)> {
        match self {
            Self::H1(connection) => {
                let (stream, rest) = connection.into_io()?;
                Some((Either::Left(stream), rest))
            }
            Self::H2(exchange) => {
                let pipe = exchange.into_pipe()?;
                Some((Either::Right(pipe), Bytes::new()))
            }
        }
    }

    /// Whether another request may follow, now that the response was read to its end.
    pub(crate) fn is_idle(&mut self) -> bool {
        match self {
            Self::H1(connection) => connection.is_idle(),
            // The connection is shared already, and this was one request's.
            Self::H2(_) => false,
        }
    }
}
