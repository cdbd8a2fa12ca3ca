//! One direction of a tunnel: what comes in at one end goes out at the other.

use bytes::{Buf as _, BytesMut};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::io::poll_read_buf;

/// One direction of a tunnel.
///
/// It reads no more than it has written, so whoever does not read holds up who writes. The memory
/// is given back while nothing is under way: a tunnel may be quiet for hours.
#[derive(Debug, Default)]
pub(super) struct Way {
    buffer: BytesMut,
    flushed: bool,
    state: State,
    /// Bytes that went out.
    pub(super) moved: u64,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum State {
    #[default]
    Open,
    /// Nothing more comes in; the other end has not been told.
    Ending,
    /// Nothing more goes out.
    Ended,
    /// The same, but not all of it did.
    Broken,
}

/// Which end broke.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Broken {
    /// That which is read.
    Source,
    /// That which is written to.
    Sink,
}

impl Way {
    /// Moves what can be moved; ready when all has gone out and the end is told.
    pub(super) fn poll<R, W>(
        &mut self,
        from: &mut R,
        to: &mut W,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Broken>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        loop {
            while !self.buffer.is_empty() {
                match ready!(Pin::new(&mut *to).poll_write(cx, &self.buffer)) {
                    Ok(0) | Err(_) => return Poll::Ready(Err(self.break_off())),
                    Ok(written) => {
                        self.buffer.advance(written);
                        self.moved += written as u64;
                        self.flushed = false;
                    }
                }
            }
            match self.state {
                State::Ended => return Poll::Ready(Ok(())),
                State::Broken => return Poll::Ready(Err(Broken::Sink)),
                State::Ending => {
                    // Whoever has gone meanwhile need not be told.
                    let _told = ready!(Pin::new(&mut *to).poll_shutdown(cx));
                    self.state = State::Ended;
                    continue;
                }
                State::Open => {}
            }
            self.buffer.reserve(PIECE);
            match poll_read_buf(Pin::new(&mut *from), cx, &mut self.buffer) {
                Poll::Ready(Ok(0)) => self.state = State::Ending,
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(Err(Broken::Source)),
                Poll::Pending => {
                    self.buffer = BytesMut::new();
                    if !self.flushed {
                        if ready!(Pin::new(&mut *to).poll_flush(cx)).is_err() {
                            return Poll::Ready(Err(self.break_off()));
                        }
                        self.flushed = true;
                    }
                    return Poll::Pending;
                }
            }
        }
    }

    /// What comes in first, before anything is read.
    pub(super) fn begin(&mut self, first: &[u8]) {
        self.buffer.extend_from_slice(first);
    }

    /// Nobody takes what goes out.
    fn break_off(&mut self) -> Broken {
        self.buffer = BytesMut::new();
        self.state = State::Broken;
        Broken::Sink
    }
}

/// Read at once: a full record of TLS.
const PIECE: usize = 16 * 1024;
