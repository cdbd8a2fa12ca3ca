//! One direction of a connection: a bounded buffer with an end.

use bytes::{Buf as _, BytesMut};
use std::io;
use std::task::{Context, Poll, Waker};
use tokio::io::ReadBuf;

/// One direction of a connection.
#[derive(Debug)]
pub(super) struct Pipe {
    buffer: BytesMut,
    capacity: usize,
    written: u64,
    /// The connection is cut when so many bytes were written.
    pub(super) cut_at: Option<u64>,
    end: End,
    /// The reading end has been closed: what is written now is answered with a reset.
    pub(super) reader_gone: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    Open,
    Finished,
    Reset,
}

/// What a write came to, besides bytes that moved.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wrote {
    /// So many bytes moved.
    Bytes(usize),
    /// So many bytes moved, and the cut point is reached.
    Cut(usize),
    /// All were taken, by nobody: the other end is closed, and its reset is on its way back.
    Lost(usize),
}

impl Pipe {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            capacity,
            written: 0,
            cut_at: None,
            end: End::Open,
            reader_gone: false,
            reader: None,
            writer: None,
        }
    }

    pub(super) fn written(&self) -> u64 {
        self.written
    }

    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    pub(super) fn poll_read(
        &mut self,
        cx: &Context<'_>,
        buf: &mut ReadBuf<'_>,
        most: usize,
    ) -> Poll<io::Result<()>> {
        if !self.buffer.is_empty() {
            let n = self.buffer.len().min(buf.remaining()).min(most);
            buf.put_slice(&self.buffer[..n]);
            self.buffer.advance(n);
            return Poll::Ready(Ok(()));
        }
        match self.end {
            End::Open => {
                self.wait_to_read(cx);
                Poll::Pending
            }
            End::Finished => Poll::Ready(Ok(())),
            End::Reset => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }

    pub(super) fn poll_write(
        &mut self,
        cx: &Context<'_>,
        data: &[u8],
        most: usize,
    ) -> Poll<io::Result<Wrote>> {
        match self.end {
            End::Open => {}
            End::Finished => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            End::Reset => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
        if data.is_empty() {
            return Poll::Ready(Ok(Wrote::Bytes(0)));
        }
        if self.reader_gone {
            self.written += data.len() as u64;
            return Poll::Ready(Ok(Wrote::Lost(data.len())));
        }
        let room = self.capacity - self.buffer.len();
        if room == 0 {
            self.wait_to_write(cx);
            return Poll::Pending;
        }
        let mut n = room.min(data.len()).min(most);
        if let Some(at) = self.cut_at {
            let left = at.saturating_sub(self.written);
            n = n.min(usize::try_from(left).unwrap_or(usize::MAX));
        }
        self.buffer.extend_from_slice(&data[..n]);
        self.written += n as u64;
        Poll::Ready(Ok(if self.cut_at == Some(self.written) {
            Wrote::Cut(n)
        } else {
            Wrote::Bytes(n)
        }))
    }

    pub(super) fn wait_to_read(&mut self, cx: &Context<'_>) {
        self.reader = Some(cx.waker().clone());
    }

    pub(super) fn wait_to_write(&mut self, cx: &Context<'_>) {
        self.writer = Some(cx.waker().clone());
    }

    /// No more bytes follow those that are in it.
    pub(super) fn finish(&mut self) {
        if self.end == End::Open {
            self.end = End::Finished;
        }
    }

    /// What is in it can still be read, as on Linux; then comes `ECONNRESET`.
    pub(super) fn reset(&mut self) {
        self.end = End::Reset;
    }

    /// Forgets what is in it.
    pub(super) fn discard(&mut self) {
        self.buffer.clear();
    }

    pub(super) fn take_reader(&mut self) -> Option<Waker> {
        self.reader.take()
    }

    pub(super) fn take_writer(&mut self) -> Option<Waker> {
        self.writer.take()
    }
}
