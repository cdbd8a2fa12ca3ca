//! What has come from a peer and was not consumed.

use bytes::BytesMut;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncRead;
use tokio_util::io::poll_read_buf;

/// What has come from a peer and was not consumed.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) buffer: BytesMut,
    /// Bytes read so far.
    pub(super) received: u64,
    /// How much is asked for at once.
    piece: usize,
}

impl Input {
    pub(super) fn new() -> Self {
        Self {
            buffer: BytesMut::new(),
            received: 0,
            piece: SMALLEST,
        }
    }

    /// Reads more; 0 says that nothing more will come. `expected` is what is known to come.
    pub(super) fn poll_more<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        expected: u64,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let expected = usize::try_from(expected).unwrap_or(usize::MAX);
        let piece = self.piece.max(expected.min(LARGEST));
        let mut room = self.buffer.capacity() - self.buffer.len();
        if room < piece / 4 || room == 0 {
            self.buffer.reserve(piece);
            room = self.buffer.capacity() - self.buffer.len();
        }
        let read = ready!(poll_read_buf(Pin::new(stream), cx, &mut self.buffer))?;
        self.received += read as u64;
        if read == room {
            // It comes faster than it is read.
            self.piece = (self.piece * 2).min(LARGEST);
        }
        Poll::Ready(Ok(read))
    }

    /// Gives the memory back, if nothing is in it.
    pub(super) fn release(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
    }

    /// For the next response.
    pub(super) fn rest(&mut self) {
        self.release();
        self.piece = SMALLEST;
    }
}

/// Enough for most heads with a small body behind.
const SMALLEST: usize = 8 * 1024;
/// Larger reads gain nothing (a copy of this size fills the second-level cache as it is).
const LARGEST: usize = 64 * 1024;
