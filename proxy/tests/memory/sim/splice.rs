//! Frames put by hand between those that h2 writes.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection that frames can be put into. h2 neither names a last stream below one it has
/// seen, nor breaks the protocol.
pub(super) struct Spliced<S> {
    stream: S,
    splice: Splice,
    /// The head of a frame, as far as it was written.
    head: Vec<u8>,
    /// What is left of that frame.
    left: usize,
}

/// What is to be put in at the next end of a frame. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Splice(Rc<RefCell<Vec<u8>>>);

impl Splice {
    pub(super) fn bytes(&self, bytes: &[u8]) {
        self.0.borrow_mut().extend_from_slice(bytes);
    }

    /// A GOAWAY that names the last stream that is looked at.
    pub(super) fn go_away(&self, last: u32) {
        self.bytes(&[0, 0, 8, 7, 0, 0, 0, 0, 0]);
        self.bytes(&last.to_be_bytes());
        self.bytes(&[0; 4]);
    }
}

impl<S> Spliced<S> {
    pub(super) fn new(stream: S, splice: &Splice) -> Self {
        Self {
            stream,
            splice: splice.clone(),
            head: Vec::new(),
            left: 0,
        }
    }
}

impl<S: AsyncWrite + Unpin> Spliced<S> {
    /// Puts in what there is, between two frames.
    fn poll_splice(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.left == 0 && self.head.is_empty() {
            let bytes = self.splice.0.borrow().clone();
            if bytes.is_empty() {
                break;
            }
            let n = ready!(Pin::new(&mut self.stream).poll_write(cx, &bytes))?;
            self.splice.0.borrow_mut().drain(..n);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Spliced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Spliced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_splice(cx))?;
        let most = match self.left {
            0 => HEAD - self.head.len(),
            left => left,
        };
        let most = most.min(data.len());
        let n = ready!(Pin::new(&mut self.stream).poll_write(cx, &data[..most]))?;
        if self.left > 0 {
            self.left -= n;
            return Poll::Ready(Ok(n));
        }
        self.head.extend_from_slice(&data[..n]);
        if self.head.len() == HEAD {
            let length = [0, self.head[0], self.head[1], self.head[2]];
            self.left = u32::from_be_bytes(length) as usize;
            self.head.clear();
        }
        Poll::Ready(Ok(n))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_splice(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Bytes of a frame's head (RFC 9113 §4.1).
const HEAD: usize = 9;
