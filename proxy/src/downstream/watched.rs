//! A client connection that notes when it last moved; the registry judges it.

use super::activity::Activity;
use super::linger::poll_drop;
use bytes::{Buf as _, Bytes};
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The noting wrapper.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    activity: Arc<Activity>,
    /// The next byte begins a TLS handshake, or is a mistake.
    expects_tls: bool,
    /// What was read to look at it, and is read again.
    again: Bytes,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, activity: &Arc<Activity>) -> Self {
        Self {
            stream,
            activity: Arc::clone(activity),
            expects_tls: false,
            again: Bytes::new(),
        }
    }

    /// Reading fails with [`NotTls`] if the client does not begin a TLS handshake. rustls would
    /// find out too, but not without sending an alert, which is garbage to such a client.
    pub(super) fn expecting_tls(self) -> Self {
        Self {
            expects_tls: true,
            ..self
        }
    }

    fn wrote(&self, polled: &Poll<io::Result<usize>>) {
        self.activity.wrote(polled.is_ready());
        if let Poll::Ready(wrote) = polled {
            self.listen(wrote);
        }
    }

    /// Notes that the system has given the connection up.
    fn listen<T>(&self, moved: &io::Result<T>) {
        if let Err(error) = moved
            && error.kind() == io::ErrorKind::TimedOut
        {
            self.activity.fall_silent();
        }
    }

    /// Lets what was read be read again.
    pub(super) fn read_again(&mut self, bytes: Bytes) {
        self.again = bytes;
    }
}

/// The client does not speak TLS.
#[derive(Debug)]
pub(super) struct NotTls {
    /// The first byte it sent.
    pub(super) first: u8,
}

impl fmt::Display for NotTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client does not speak TLS")
    }
}

impl std::error::Error for NotTls {}

/// The content type of a handshake record (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.again.is_empty() {
            let some = self.again.len().min(buf.remaining());
            buf.put_slice(&self.again[..some]);
            self.again.advance(some);
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if let Poll::Ready(read) = &polled {
            self.activity.read(buf.filled().len() - before);
            self.listen(read);
        }
        if self.expects_tls
            && let Some(&first) = buf.filled().get(before)
        {
            self.expects_tls = false;
            if first != HANDSHAKE {
                let error = io::Error::new(io::ErrorKind::InvalidData, NotTls { first });
                return Poll::Ready(Err(error));
            }
        }
        polled
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wrote(&polled);
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.wrote(&polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.activity.lingers() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            if !this.activity.is_unread() {
                return Poll::Ready(Ok(()));
            }
            this.activity.linger();
        }
        poll_drop(&mut this.stream, cx).map(Ok)
    }
}
