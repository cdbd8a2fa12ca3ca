//! One HTTP/1.1 connection to a peer; hyper's client for now.
//!
//! The connection is polled inside the task of the request that uses it: a second task would
//! cost a wake-up for every chunk. Only while an upload goes on after the response head does a
//! local task own it, because the client may read nothing until its upload has ended.

use super::super::connection::{BodyError, ExchangeError, HeadLimits};
use super::super::head::UpstreamHead;
use super::counted::{Counted, Counts};
use crate::downstream::HYPER_HEADERS;
use crate::upload::{UploadBody, UploadError};
use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Request, response};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1};
use hyper_util::rt::TokioIo;
use std::fmt;
use std::future::Future as _;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite};

type Io<S> = TokioIo<Counted<S>>;

/// One HTTP/1.1 connection to a peer.
pub(crate) struct Connection<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> {
    sender: http1::SendRequest<UploadBody>,
    driver: Driver<S>,
    counts: Arc<Counts>,
    incoming: Option<Incoming>,
    reused: bool,
}

enum Driver<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> {
    Inline(Box<http1::Connection<Io<S>, UploadBody>>),
    /// A local task polls it.
    Detached {
        _task: Detached,
    },
    /// It has ended.
    Gone,
}

/// A connection that a local task polls; dropping this ends the task and the connection.
#[derive(Debug)]
struct Detached(tokio::task::JoinHandle<()>);

impl Drop for Detached {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Connection<S> {
    /// Speaks HTTP/1.1 on a new connection.
    pub(crate) async fn open(stream: S, limits: HeadLimits) -> io::Result<Self> {
        let (counted, counts) = Counted::new(stream);
        let mut builder = http1::Builder::new();
        // hyper refuses anything below 8 KiB.
        builder.max_buf_size(limits.head_size.max(8 * 1024));
        if limits.headers != HYPER_HEADERS {
            builder.max_headers(limits.headers);
        }
        let (sender, connection) = builder
            .handshake(TokioIo::new(counted))
            .await
            .map_err(io::Error::other)?;
        let driver = Driver::Inline(Box::new(connection));
        Ok(Self {
            sender,
            driver,
            counts,
            incoming: None,
            reused: false,
        })
    }

    /// Whether it served a request before this one.
    pub(crate) fn is_reused(&self) -> bool {
        self.reused
    }

    /// Bytes written and read so far.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        (self.counts.sent(), self.counts.received())
    }

    /// Whether an idle connection can take another request: it is looked at once, which costs a
    /// system call only if the reactor has seen something on it.
    pub(crate) fn is_usable(&mut self) -> bool {
        self.reused = true;
        let mut cx = Context::from_waker(Waker::noop());
        self.poll_driver(&mut cx).is_pending() && self.sender.is_ready()
    }

    /// Sends a request and waits for the head of its response. `give_up` ends the wait.
    ///
    /// Cancelling drops the exchange; the connection must then be dropped too.
    pub(crate) async fn exchange<G>(
        &mut self,
        head: &UpstreamHead<'_>,
        body: UploadBody,
        limits: HeadLimits,
        mut give_up: impl FnMut(&Context<'_>) -> Poll<G>,
    ) -> Result<Result<response::Parts, ExchangeError>, G> {
        self.incoming = None;
        let mut parts = head.to_parts();
        if !body.is_end_stream() && !parts.headers.contains_key(header::CONTENT_LENGTH) {
            // hyper's client drops the body of a GET whose head does not announce one.
            let chunked = HeaderValue::from_static("chunked");
            parts.headers.insert(header::TRANSFER_ENCODING, chunked);
        }
        let request = Request::from_parts(parts, body);
        let received = self.counts.received();
        let allowance = limits.head_size as u64 * 2;
        let mut sending = pin!(self.sender.try_send_request(request));
        let driver = &mut self.driver;
        let counts = &self.counts;
        let exchanged = std::future::poll_fn(|cx| {
            let ended = match driver {
                Driver::Inline(connection) => Pin::new(&mut **connection).poll(cx).is_ready(),
                Driver::Detached { .. } | Driver::Gone => false,
            };
            if ended {
                *driver = Driver::Gone;
            }
            if let Poll::Ready(result) = sending.as_mut().poll(cx) {
                return Poll::Ready(Ok(result.map_err(explain)));
            }
            // hyper reads interim responses without end (http-safety.md 1, 9).
            if counts.received() - received > allowance {
                return Poll::Ready(Ok(Err(ExchangeError::Peer {
                    cause: lb::Cause::Malformed,
                    unsent: false,
                    source: None,
                })));
            }
            give_up(cx).map(Err)
        })
        .await?;
        Ok(exchanged.map(|response| {
            let (head, incoming) = response.into_parts();
            self.incoming = Some(incoming);
            head
        }))
    }

    /// Reads the next frame of the response body.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut polled = self.poll_incoming(cx);
        if polled.is_pending() {
            // Whether it has ended or not: what it read is in the channel now.
            polled = match self.poll_driver(cx) {
                Poll::Ready(()) | Poll::Pending => self.poll_incoming(cx),
            };
        }
        polled.map_err(|error| BodyError(error.into()))
    }

    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        match &mut self.incoming {
            Some(incoming) => Pin::new(incoming).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    /// Whether the response body is known to have no further frame.
    pub(crate) fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Incoming::is_end_stream)
    }

    /// What is known of the length of the rest of the response body.
    pub(crate) fn size_hint(&self) -> SizeHint {
        let incoming = self.incoming.as_ref();
        incoming.map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }

    /// Lets a local task poll it, when the upload goes on after the response head.
    pub(crate) fn detach(&mut self) {
        if let Driver::Inline(connection) = std::mem::replace(&mut self.driver, Driver::Gone) {
            let task = tokio::task::spawn_local(async move {
                // An error also reaches the response body, which reports it.
                drop(connection.await);
            });
            self.driver = Driver::Detached {
                _task: Detached(task),
            };
        }
    }

    /// Whether another request may follow, now that the response was read to its end.
    pub(crate) fn is_idle(&mut self, cx: &mut Context<'_>) -> bool {
        self.incoming = None;
        if !matches!(self.driver, Driver::Inline(_)) {
            return false;
        }
        self.sender.is_ready() || (self.poll_driver(cx).is_pending() && self.sender.is_ready())
    }

    fn poll_driver(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.driver {
            Driver::Inline(connection) => {
                if Pin::new(&mut **connection).poll(cx).is_pending() {
                    return Poll::Pending;
                }
                self.driver = Driver::Gone;
                Poll::Ready(())
            }
            Driver::Detached { .. } => Poll::Pending,
            Driver::Gone => Poll::Ready(()),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> fmt::Debug for Connection<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("bytes", &self.bytes())
            .finish_non_exhaustive()
    }
}

/// What hyper's error means (resilience.md 3.1: the measured taxonomy).
fn explain(mut error: TrySendError<Request<UploadBody>>) -> ExchangeError {
    let unsent = error.take_message().is_some();
    let source = error.into_error();
    if find::<UploadError>(&source).is_some() {
        return ExchangeError::Client;
    }
    let io = find::<io::Error>(&source).map(io::Error::kind);
    let cause = if unsent {
        lb::Cause::Unprocessed
    } else if source.is_parse() || source.is_parse_too_large() || source.is_parse_status() {
        lb::Cause::Malformed
    } else if matches!(
        io,
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
    ) {
        lb::Cause::Reset
    } else {
        lb::Cause::Closed
    };
    ExchangeError::Peer {
        cause,
        unsent,
        source: Some(source.into()),
    }
}

/// The first error of type `E` in the chain.
fn find<'a, E: std::error::Error + 'static>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
