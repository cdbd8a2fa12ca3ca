//! One HTTP/1.1 connection to a peer.

use super::super::connection::{BodyError, ExchangeError, HeadLimits};
use super::super::head::UpstreamHead;
use super::body::{Body, Step};
use super::decode::{Asked, decode};
use super::fault::Fault;
use super::input::Input;
use super::interim::Interim;
use super::output::Output;
use super::pump::{Half, Pump};
use crate::upload::UploadBody;
use bytes::Bytes;
use http::{Method, header, response};
use http_body::{Frame, SizeHint};
use std::cell::RefCell;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// One HTTP/1.1 connection to a peer.
///
/// One exchange at a time: [`exchange`](Self::exchange), the frames of its body, and
/// [`is_idle`](Self::is_idle) before the next one. Dropping it closes it.
pub(crate) struct Connection<S> {
    core: Rc<RefCell<Core<S>>>,
    pump: Option<Pump>,
    reused: bool,
}

/// What the two halves share.
struct Core<S> {
    stream: S,
    output: Output,
    input: Input,
    /// What is left of the response.
    body: Body,
    keep_alive: bool,
}

/// Why there is no response head.
enum HeadError {
    Fault(Fault),
    Io(io::Error),
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> Connection<S> {
    /// Speaks HTTP/1.1 on a new connection.
    pub(crate) fn new(stream: S) -> Self {
        let core = Core {
            stream,
            output: Output::new(),
            input: Input::new(),
            body: Body::Done,
            keep_alive: true,
        };
        Self {
            core: Rc::new(RefCell::new(core)),
            pump: None,
            reused: false,
        }
    }

    /// Whether it served a request before this one.
    pub(crate) fn is_reused(&self) -> bool {
        self.reused
    }

    /// Bytes written and read so far.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        let core = self.core.borrow();
        (core.output.sent, core.input.received)
    }

    /// Whether an idle connection can take another request: nothing has come on it, not even its
    /// end. Costs a system call only if the reactor has seen something.
    pub(crate) fn is_usable(&mut self) -> bool {
        self.reused = true;
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        let mut cx = Context::from_waker(Waker::noop());
        let stream = &mut self.core.borrow_mut().stream;
        // A byte that nobody asked for belongs to no response of ours (RFC 9112 §9.2).
        Pin::new(stream)
            .poll_read(&mut cx, &mut buffer)
            .is_pending()
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
        let asked = Asked {
            head: head.method() == Method::HEAD,
            upgrade: head.contains(&header::UPGRADE),
        };
        let mut interim = Interim::default();
        let before = {
            let core = &mut *self.core.borrow_mut();
            core.output.begin(head, body);
            core.output.sent
        };
        std::future::poll_fn(|cx| {
            let core = &mut *self.core.borrow_mut();
            core.output.poll_send(&mut core.stream, cx);
            if core.output.deserted {
                return Poll::Ready(Ok(Err(ExchangeError::Client)));
            }
            if let Poll::Ready(result) = core.poll_head(asked, limits, &mut interim, cx) {
                let unsent = core.output.sent == before;
                return Poll::Ready(Ok(result.map_err(|error| core.explain(error, unsent))));
            }
            give_up(cx).map(Err)
        })
        .await
    }

    /// Reads the next frame of the response body.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let core = &mut *self.core.borrow_mut();
        let Some(pump) = &self.pump else {
            if !core.output.is_over() {
                core.output.poll_send(&mut core.stream, cx);
            }
            return core.poll_frame(cx);
        };
        let waker = pump.both.waker(Half::Reader, cx);
        core.poll_frame(&mut Context::from_waker(&waker))
    }

    /// Whether the response body is known to have no further frame.
    pub(crate) fn is_end_stream(&self) -> bool {
        self.core.borrow().body.is_done()
    }

    /// What is known of the length of the rest of the response body.
    pub(crate) fn size_hint(&self) -> SizeHint {
        match self.core.borrow().body {
            Body::Done => SizeHint::with_exact(0),
            Body::Length(left) => SizeHint::with_exact(left),
            Body::Chunked(_) | Body::UntilClose => SizeHint::default(),
        }
    }

    /// Lets a local task send the rest of the upload.
    pub(crate) fn detach(&mut self) {
        // Weak, so that dropping the connection closes it at once.
        let core = Rc::downgrade(&self.core);
        self.pump = Some(Pump::start(move |cx| {
            let Some(core) = core.upgrade() else {
                return Poll::Ready(());
            };
            let core = &mut *core.borrow_mut();
            core.output.poll_send(&mut core.stream, cx);
            if !core.output.is_over() {
                return Poll::Pending;
            }
            if core.output.deserted {
                // The reader is told.
                cx.waker().wake_by_ref();
            }
            Poll::Ready(())
        }));
    }

    /// Whether another request may follow, now that the response was read to its end.
    pub(crate) fn is_idle(&mut self) -> bool {
        let core = &mut *self.core.borrow_mut();
        let idle = core.keep_alive
            && core.body.is_done()
            && core.output.is_done()
            // Bytes beyond the response are part of nothing (RFC 9112 §9.2).
            && core.input.buffer.is_empty();
        if idle {
            self.pump = None;
            core.input.rest();
            core.output.rest();
        }
        idle
    }

    /// The stream, and what was read beyond the head: for a tunnel, after a switch of protocols.
    pub(crate) fn into_io(self) -> Option<(S, Bytes)> {
        let core = Rc::into_inner(self.core)?.into_inner();
        Some((core.stream, core.input.buffer.freeze()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Core<S> {
    fn poll_head(
        &mut self,
        asked: Asked,
        limits: HeadLimits,
        interim: &mut Interim,
        cx: &mut Context<'_>,
    ) -> Poll<Result<response::Parts, HeadError>> {
        // What holds no further line needs no further look, however slowly it drips in.
        let mut look = !self.input.buffer.is_empty();
        loop {
            let buffer = &mut self.input.buffer;
            if look && let Some(head) = decode(buffer, asked, limits).map_err(HeadError::Fault)? {
                let switched = head.parts.status == http::StatusCode::SWITCHING_PROTOCOLS;
                if head.parts.status.is_informational() && !switched {
                    interim.passed(&head, limits).map_err(HeadError::Fault)?;
                    look = !self.input.buffer.is_empty();
                    continue;
                }
                self.body = head.body;
                self.keep_alive = head.keep_alive;
                return Poll::Ready(Ok(head.parts));
            }
            let polled = self.input.poll_more(&mut self.stream, 0, cx);
            let read = ready!(polled).map_err(HeadError::Io)?;
            if read == 0 {
                return Poll::Ready(Err(HeadError::Fault(Fault::Ended)));
            }
            let buffer = &self.input.buffer;
            let new = buffer.get(buffer.len() - read..).unwrap_or_default();
            look = buffer.len() >= limits.head_size || memchr::memchr(b'\n', new).is_some();
        }
    }

    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            let step = self.body.step(&mut self.input.buffer);
            match step.map_err(|fault| BodyError::Peer(fault.into()))? {
                Step::Data(data) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Step::Trailers(fields) => return Poll::Ready(Some(Ok(Frame::trailers(fields)))),
                Step::End => return Poll::Ready(None),
                Step::More => {}
            }
            if self.output.deserted {
                return Poll::Ready(Some(Err(BodyError::Client)));
            }
            let expected = match self.body {
                Body::Length(left) => left,
                _ => 0,
            };
            let Poll::Ready(read) = self.input.poll_more(&mut self.stream, expected, cx) else {
                // A stream may be quiet for hours.
                self.input.release();
                return Poll::Pending;
            };
            match read {
                Ok(0) => self
                    .body
                    .ended()
                    .map_err(|fault| BodyError::Peer(fault.into()))?,
                Ok(_) => {}
                Err(error) => return Poll::Ready(Some(Err(BodyError::Peer(error.into())))),
            }
        }
    }

    /// What an error means for the attempt.
    fn explain(&mut self, error: HeadError, unsent: bool) -> ExchangeError {
        let reset = |error: &io::Error| {
            use io::ErrorKind::{BrokenPipe, ConnectionReset};
            matches!(error.kind(), ConnectionReset | BrokenPipe)
        };
        let broken = self.output.broken.take();
        let cause = match &error {
            HeadError::Fault(Fault::Ended) if broken.as_ref().is_some_and(reset) => {
                lb::Cause::Reset
            }
            HeadError::Fault(Fault::Ended) => lb::Cause::Closed,
            HeadError::Fault(_) => lb::Cause::Malformed,
            HeadError::Io(error) if reset(error) => lb::Cause::Reset,
            HeadError::Io(_) => lb::Cause::Closed,
        };
        let source = match (error, broken) {
            // What was seen first says more.
            (HeadError::Fault(Fault::Ended), Some(broken)) => broken.into(),
            (HeadError::Fault(fault), _) => fault.into(),
            (HeadError::Io(error), _) => error.into(),
        };
        ExchangeError::Peer {
            cause,
            unsent,
            source: Some(source),
        }
    }
}

impl<S> fmt::Debug for Connection<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}
