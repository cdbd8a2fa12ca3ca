//! A connection that counts what crosses it: h2 says neither whether a request left this machine
//! nor when the peer was last heard of.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

/// Bytes that crossed a connection.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) written: Cell<u64>,
    pub(super) read: Cell<u64>,
    /// Length of the first frame's payload, as far as it was read.
    first: Cell<u64>,
    /// The peer's settings have come, or nothing will.
    pub(super) heard: Notify,
}

impl Counts {
    /// Whether the peer's first frame has come, which is its settings (RFC 9113 §3.4).
    pub(super) fn is_settled(&self) -> bool {
        self.read.get() >= FRAME_HEADER + self.first.get()
    }

    fn came(&self, bytes: &[u8]) {
        let read = self.read.get();
        // The length is what a frame begins with.
        let missing = usize::try_from(LENGTH.saturating_sub(read)).unwrap_or(0);
        for byte in bytes.iter().take(missing) {
            self.first.set(self.first.get() << 8 | u64::from(*byte));
        }
        let settled = self.is_settled();
        self.read.set(read.wrapping_add(bytes.len() as u64));
        if !settled && self.is_settled() {
            self.heard.notify_one();
        }
    }
}

/// RFC 9113 §4.1.
const FRAME_HEADER: u64 = 9;
const LENGTH: u64 = 3;

/// The counting wrapper.
#[derive(Debug)]
pub(super) struct Counted<S> {
    stream: S,
    counts: Rc<Counts>,
}

impl<S> Counted<S> {
    pub(super) fn new(stream: S, counts: &Rc<Counts>) -> Self {
        Self {
            stream,
            counts: Rc::clone(counts),
        }
    }

    fn wrote(&self, bytes: usize) {
        let written = &self.counts.written;
        written.set(written.get().wrapping_add(bytes as u64));
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.counts
            .came(buf.filled().get(before..).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, buf))?;
        self.wrote(written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, bufs))?;
        self.wrote(written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
