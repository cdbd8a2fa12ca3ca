//! The end of a connection whose client may still be sending.

use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, ReadBuf};

/// Reads and drops what a client still sends after the last answer, until it closes too: the
/// system answers bytes that nobody reads with a reset, and a reset can take the answer away from
/// a client that has not read it yet (RFC 9112 §9.6). The registry bounds how long.
pub(super) fn poll_drop<S>(stream: &mut S, cx: &mut Context<'_>) -> Poll<()>
where
    S: AsyncRead + Unpin,
{
    let mut dropped = [0; 8 * 1024];
    // A client that sends without end does not keep the thread.
    for _ in 0..MOST {
        let mut buf = ReadBuf::new(&mut dropped);
        match Pin::new(&mut *stream).poll_read(cx, &mut buf) {
            Poll::Ready(Ok(())) if !buf.filled().is_empty() => {}
            Poll::Ready(_) => return Poll::Ready(()),
            Poll::Pending => return Poll::Pending,
        }
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Reads before others have their turn: a quarter of a megabyte.
const MOST: usize = 32;
