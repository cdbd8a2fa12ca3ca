//! One connection between two hosts, and what can happen to it.

use super::passage::Passage;
use super::pipe::{Pipe, Wrote};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::io::ReadBuf;
use tokio::time::Instant;

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
    /// The hosts at its ends: the one that accepted, the one that connected.
    accepted: IpAddr,
    connected: IpAddr,
}

/// What a connection is made of.
#[derive(Debug)]
pub(super) struct Making {
    /// Bytes that fit into each direction.
    pub(super) capacity: usize,
    /// The generator of the fragments; none: bytes move in one piece.
    pub(super) fragments: Option<u64>,
    /// From whoever accepted to whoever connected, and back.
    pub(super) passages: [Passage; 2],
    /// The generator of the jitter.
    pub(super) seed: u64,
    /// The hosts, in the same order.
    pub(super) hosts: [IpAddr; 2],
    /// After what silence their systems give it up.
    pub(super) silences: [Duration; 2],
}

#[derive(Debug)]
struct State {
    /// What the accepted end writes, and whether its host stands still.
    accepted: Half,
    connected: Half,
    /// Reads and writes move a drawn number of bytes; none: all they can.
    fragments: Option<u64>,
    /// Nothing passes any more, whatever becomes of the hosts.
    lost: bool,
    /// A reset is owed to an end that wrote while nothing passed.
    owed: Option<Side>,
}

#[derive(Debug)]
struct Half {
    out: Pipe,
    frozen: bool,
    /// After what silence its host's system gives the connection up.
    silence: Duration,
    cut: Cut,
}

impl Half {
    fn new(out: Pipe, silence: Duration) -> Self {
        Self {
            out,
            frozen: false,
            silence,
            cut: Cut::Reset,
        }
    }
}

/// Who is to be woken once the lock is gone: waking may drop a task and its connections.
type Woken = [Option<Waker>; 4];

impl Link {
    pub(super) fn new(making: Making) -> Arc<Self> {
        let [from_accepted, from_connected] = making.passages;
        let [accepted, connected] = making.hosts;
        let half =
            |passage, seed, silence| Half::new(Pipe::new(making.capacity, passage, seed), silence);
        let state = State {
            accepted: half(from_accepted, making.seed, making.silences[0]),
            connected: half(from_connected, !making.seed, making.silences[1]),
            fragments: making.fragments,
            lost: false,
            owed: None,
        };
        Arc::new(Self {
            state: Mutex::new(state),
            accepted,
            connected,
        })
    }

    /// The host at one end.
    pub(super) fn host(&self, side: Side) -> IpAddr {
        match side {
            Side::Accepted => self.accepted,
            Side::Connected => self.connected,
        }
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

    /// Reads; not yet: the moment to ask again, if it is known.
    pub(super) fn poll_read(
        &self,
        side: Side,
        cx: &Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Result<io::Result<()>, Option<Instant>> {
        let mut state = self.lock();
        let most = state.most();
        let frozen = state.half(side).frozen;
        let pipe = &mut state.half(side.other()).out;
        if frozen {
            pipe.wait_to_read(cx);
            return Err(None);
        }
        let read = pipe.poll_read(cx, buf, most, Instant::now())?;
        let writer = pipe.take_writer();
        drop(state);
        writer.into_iter().for_each(Waker::wake);
        Ok(read)
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
        let now = Instant::now();
        let (wrote, woken) = match ready!(half.out.poll_write(cx, data, most, now))? {
            Wrote::Bytes(n) => (n, [half.out.take_reader(), None, None, None]),
            Wrote::Cut(n) => {
                match cut {
                    Cut::Close => state.close(side, now),
                    Cut::Reset => state.reset(side, now),
                }
                (n, state.woken())
            }
            Wrote::Lost(n) => {
                state.answer_lost(side, now);
                (n, state.woken())
            }
        };
        drop(state);
        wake(woken);
        Poll::Ready(Ok(wrote))
    }

    /// Half-close: no more bytes come from `side`.
    pub(super) fn finish(&self, side: Side) {
        self.change(|state| state.half(side).out.finish(Instant::now()));
    }

    /// `side` lets go of the connection.
    pub(super) fn drop_end(&self, side: Side) {
        self.change(|state| state.close(side, Instant::now()));
    }

    /// `side` breaks the connection.
    pub(super) fn reset(&self, side: Side) {
        self.change(|state| state.reset(side, Instant::now()));
    }

    /// The host at `side` knows of no such connection any more, and the other is not told: what
    /// it writes is answered with a reset, or, if the connection is `lost`, with nothing at all,
    /// until its own host gives up.
    pub(super) fn forget(&self, side: Side, lost: bool) {
        self.change(|state| {
            let now = Instant::now();
            state.lost |= lost;
            state.half(side).out.hold(true, now);
            state.reset(side, now);
            state.half(side).out.hold(lost, now);
            if lost {
                let other = state.half(side.other());
                other.out.hold(true, now);
                other.out.give_up_writing(now + other.silence);
            } else {
                // Its system asks whether the other end is there.
                let asked = now + state.half(side.other()).silence / 2;
                let out = &mut state.half(side).out;
                out.give_up_reading(io::ErrorKind::ConnectionReset, asked);
            }
        });
    }

    /// Whether what `side` writes arrives at all.
    pub(super) fn set_held(&self, side: Side, held: bool) {
        self.change(|state| {
            let now = Instant::now();
            let lost = state.lost;
            state.half(side).out.hold(held || lost, now);
            if let Some(side) = state.owed.take() {
                state.answer_lost(side, now);
            }
        });
    }

    /// How what `side` writes passes from now on.
    pub(super) fn set_passage(&self, side: Side, passage: Passage) {
        self.lock().half(side).out.set_passage(passage);
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
                    Cut::Close => state.close(side, Instant::now()),
                    Cut::Reset => state.reset(side, Instant::now()),
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

    /// What `side` wrote still arrives; what it did not read is lost. Nobody is told of a reset
    /// that does not get through.
    fn reset(&mut self, side: Side, now: Instant) {
        let silence = self.half(side.other()).silence;
        let out = &mut self.half(side).out;
        let told = out.reset(now);
        let told = (!out.is_held()).then_some(told);
        if told.is_none() {
            out.give_up_reading(io::ErrorKind::TimedOut, now + silence);
        }
        self.half(side.other()).out.refuse(told);
    }

    /// As the system does it: a connection closed with unread bytes is reset.
    fn close(&mut self, side: Side, now: Instant) {
        if !self.half(side.other()).out.is_empty() {
            self.reset(side, now);
            return;
        }
        self.half(side).out.finish(now);
        self.half(side.other()).out.reader_gone = true;
    }

    /// `side` has written to an end that is gone: a reset comes back, as soon as both ways are
    /// open.
    fn answer_lost(&mut self, side: Side, now: Instant) {
        if self.accepted.out.is_held() || self.connected.out.is_held() {
            self.owed = Some(side);
            return;
        }
        // It goes there and back.
        let arrives = self.half(side).out.arrival(now);
        self.reset(side.other(), arrives);
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
