//! One connection between two hosts, and what can happen to it.

use super::pipe::{Pipe, Wrote};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use tokio::io::ReadBuf;

/// How a connection is cut.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cut {
    /// In order: the other end reads an end of stream.
    Close,
    /// The other end reads what has arrived, then `ECONNRESET`.
    Reset,
}

/// Which end of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Side {
    Accepted,
    Connected,
}

impl Side {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Accepted => Self::Connected,
            Self::Connected => Self::Accepted,
        }
    }
}

/// One connection.
#[derive(Debug)]
pub(super) struct Link {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// What the accepted end writes, and whether its host stands still.
    accepted: Half,
    connected: Half,
    /// Reads and writes move a drawn number of bytes; none: all they can.
    fragments: Option<u64>,
}

#[derive(Debug)]
struct Half {
    out: Pipe,
    frozen: bool,
    cut: Cut,
}

impl Half {
    fn new(capacity: usize) -> Self {
        Self {
            out: Pipe::new(capacity),
            frozen: false,
            cut: Cut::Reset,
        }
    }
}

/// Who is to be woken once the lock is gone: waking may drop a task and its connections.
type Woken = [Option<Waker>; 4];

impl Link {
    pub(super) fn new(capacity: usize, fragments: Option<u64>) -> Arc<Self> {
        let state = State {
            accepted: Half::new(capacity),
            connected: Half::new(capacity),
            fragments,
        };
        Arc::new(Self {
            state: Mutex::new(state),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        let woken = state.woken();
        drop(state);
        wake(woken);
    }

    pub(super) fn poll_read(
        &self,
        side: Side,
        cx: &Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.lock();
        let most = state.most();
        let frozen = state.half(side).frozen;
        let pipe = &mut state.half(side.other()).out;
        if frozen {
            pipe.wait_to_read(cx);
            return Poll::Pending;
        }
        let read = ready!(pipe.poll_read(cx, buf, most));
        let writer = pipe.take_writer();
        drop(state);
        writer.into_iter().for_each(Waker::wake);
        Poll::Ready(read)
    }

    pub(super) fn poll_write(
        &self,
        side: Side,
        cx: &Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.lock();
        let most = state.most();
        let half = state.half(side);
        if half.frozen {
            half.out.wait_to_write(cx);
            return Poll::Pending;
        }
        let cut = half.cut;
        let (wrote, woken) = match ready!(half.out.poll_write(cx, data, most))? {
            Wrote::Bytes(n) => (n, [half.out.take_reader(), None, None, None]),
            Wrote::Cut(n) => {
                match cut {
                    Cut::Close => state.close(side),
                    Cut::Reset => state.reset(side),
                }
                (n, state.woken())
            }
            Wrote::Lost(n) => {
                state.reset(side.other());
                (n, state.woken())
            }
        };
        drop(state);
        wake(woken);
        Poll::Ready(Ok(wrote))
    }

    /// Half-close: no more bytes come from `side`.
    pub(super) fn finish(&self, side: Side) {
        self.change(|state| state.half(side).out.finish());
    }

    /// `side` lets go of the connection.
    pub(super) fn drop_end(&self, side: Side) {
        self.change(|state| state.close(side));
    }

    /// `side` breaks the connection.
    pub(super) fn reset(&self, side: Side) {
        self.change(|state| state.reset(side));
    }

    /// Whether the process at `side` runs.
    pub(super) fn set_frozen(&self, side: Side, frozen: bool) {
        self.change(|state| state.half(side).frozen = frozen);
    }

    /// Cuts the connection when `bytes` more were written by `side`.
    pub(super) fn cut_after(&self, side: Side, bytes: u64, cut: Cut) {
        self.change(|state| {
            if bytes == 0 {
                match cut {
                    Cut::Close => state.close(side),
                    Cut::Reset => state.reset(side),
                }
                return;
            }
            let half = state.half(side);
            half.out.cut_at = Some(half.out.written() + bytes);
            half.cut = cut;
        });
    }
}

impl State {
    fn half(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Accepted => &mut self.accepted,
            Side::Connected => &mut self.connected,
        }
    }

    /// What `side` wrote still arrives; what it did not read is lost.
    fn reset(&mut self, side: Side) {
        self.half(side).out.reset();
        let incoming = &mut self.half(side.other()).out;
        incoming.discard();
        incoming.reset();
    }

    /// As the system does it: a connection closed with unread bytes is reset.
    fn close(&mut self, side: Side) {
        if !self.half(side.other()).out.is_empty() {
            self.reset(side);
            return;
        }
        self.half(side).out.finish();
        self.half(side.other()).out.reader_gone = true;
    }

    /// How many bytes this read or write may move.
    fn most(&mut self) -> usize {
        let Some(draw) = &mut self.fragments else {
            return usize::MAX;
        };
        // xorshift64*, whose upper bits are good enough for lengths.
        *draw ^= *draw >> 12;
        *draw ^= *draw << 25;
        *draw ^= *draw >> 27;
        let drawn = draw.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 48;
        // Mostly all there is, sometimes a byte, sometimes a part.
        match drawn % 8 {
            0 => 1,
            1 | 2 => usize::try_from(drawn >> 3).unwrap_or(1).max(1),
            _ => usize::MAX,
        }
    }

    fn woken(&mut self) -> Woken {
        [
            self.accepted.out.take_reader(),
            self.accepted.out.take_writer(),
            self.connected.out.take_reader(),
            self.connected.out.take_writer(),
        ]
    }
}

fn wake(woken: Woken) {
    woken.into_iter().flatten().for_each(Waker::wake);
}
