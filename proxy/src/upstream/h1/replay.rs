//! The codec over a script: a peer that sends given pieces and then ends.

use super::super::connection::{BodyError, HeadLimits};
use super::super::head::UpstreamHead;
use super::connection::Connection;
use crate::settings::Limits;
use crate::upload::Upload;
use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What the codec makes of the bytes of a peer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Replayed {
    /// The status of the final response; none, if there is no sound head.
    pub status: Option<u16>,
    /// Its fields.
    pub fields: HeaderMap,
    /// Its body, as far as it came.
    pub body: Vec<u8>,
    /// Its trailers, if there are any.
    pub trailers: Option<HeaderMap>,
    /// Whether it is whole.
    pub whole: bool,
    /// Whether another request may follow on the connection.
    pub reusable: bool,
}

/// Lets the codec read the response to a request of that method from `pieces`.
pub fn replay(method: Method, pieces: &[&[u8]]) -> Replayed {
    let mut connection = Connection::new(Script::new(pieces));
    let mut replayed = Replayed::default();
    let (mut request, ()) = Request::new(()).into_parts();
    request.method = method;
    let head = UpstreamHead::new(&request);
    let body = Upload::EMPTY.body();
    let limits = HeadLimits::new(&Limits::default());
    let exchange = connection.exchange(&head, body, limits, |_| Poll::<Infallible>::Pending);
    let Ok(answer) = drive(exchange);
    let Ok(parts) = answer else {
        return replayed;
    };
    replayed.status = Some(parts.status.as_u16());
    replayed.fields = parts.headers;
    let read: Result<(), BodyError> = drive(async {
        while let Some(frame) = std::future::poll_fn(|cx| connection.poll_frame(cx)).await {
            match frame?.into_data() {
                Ok(data) => replayed.body.extend_from_slice(&data),
                Err(frame) => replayed.trailers = frame.into_trailers().ok(),
            }
        }
        Ok(())
    });
    replayed.whole = read.is_ok();
    replayed.reusable = replayed.whole && connection.is_idle();
    replayed
}

/// Polls a future until it is ready: nothing here has to wait for anybody.
pub(super) fn drive<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
    }
}

/// A peer that waits for a request, sends its pieces one by one, and ends.
#[derive(Debug)]
pub(super) struct Script {
    rest: VecDeque<Bytes>,
    /// What was written to it.
    pub(super) written: Vec<u8>,
    /// A piece has been read, and the next one is still on its way.
    pause: bool,
}

impl Script {
    pub(super) fn new(pieces: &[&[u8]]) -> Self {
        let pieces = pieces.iter().filter(|piece| !piece.is_empty());
        Self {
            rest: pieces.map(|piece| Bytes::copy_from_slice(piece)).collect(),
            written: Vec::new(),
            pause: false,
        }
    }
}

impl AsyncRead for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.pause = !self.pause;
        if self.pause || self.written.is_empty() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Some(piece) = self.rest.front_mut() {
            let now = piece.split_to(piece.len().min(buffer.remaining()));
            buffer.put_slice(&now);
            if piece.is_empty() {
                self.rest.pop_front();
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.written.extend_from_slice(data);
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
