//! The end of a connection whose client may still be sending.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Sleep;

/// Reads and drops what a client still sends after the last answer, until it closes too: the
/// system answers bytes that nobody reads with a reset, and a reset can take the answer away from
/// a client that has not read it yet (RFC 9112 §9.6).
#[derive(Debug)]
pub(super) struct Linger(Pin<Box<Sleep>>);

impl Linger {
    pub(super) fn new() -> Self {
        Self(Box::pin(tokio::time::sleep(LONGEST)))
    }

    /// Ready when the client has closed, or has had its time.
    pub(super) fn poll<S>(&mut self, stream: &mut S, cx: &mut Context<'_>) -> Poll<()>
    where
        S: AsyncRead + Unpin,
    {
        let mut dropped = [0; 8 * 1024];
        loop {
            if self.0.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            let mut buf = ReadBuf::new(&mut dropped);
            match Pin::new(&mut *stream).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

/// A client that was told of the end closes within a round trip; one that goes on sending for so
/// long does not read.
const LONGEST: Duration = Duration::from_secs(5);
