//! One direction of a connection: a bounded buffer, what of it has arrived, and an end.

use super::passage::{Line, Passage};
use bytes::{Buf as _, BytesMut};
use std::collections::VecDeque;
use std::io;
use std::task::{Context, Poll, Waker};
use tokio::io::ReadBuf;
use tokio::time::Instant;

/// One direction of a connection.
#[derive(Debug)]
pub(super) struct Pipe {
    buffer: BytesMut,
    capacity: usize,
    /// Bytes so far; what arrived of them; when how many will have.
    written: u64,
    arrived: u64,
    under_way: VecDeque<(Instant, u64)>,
    line: Line,
    /// Nothing arrives.
    held: bool,
    /// The connection is cut when so many bytes were written.
    pub(super) cut_at: Option<u64>,
    /// What the reader finds behind the last byte, and from when on.
    end: End,
    end_at: Option<Instant>,
    /// What the writer is told, and from when on.
    refusal: Option<(io::ErrorKind, Instant)>,
    /// The reading end has been closed: what is written now is answered with a reset.
    pub(super) reader_gone: bool,
    /// The reading end was broken by its own host.
    broken: bool,
    /// The reader's host gives up on what it hears nothing of.
    given_up: Option<(io::ErrorKind, Instant)>,
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
    pub(super) fn new(capacity: usize, passage: Passage, seed: u64) -> Self {
        Self {
            buffer: BytesMut::new(),
            capacity,
            written: 0,
            arrived: 0,
            under_way: VecDeque::new(),
            line: Line::new(passage, seed),
            held: false,
            cut_at: None,
            end: End::Open,
            end_at: None,
            refusal: None,
            reader_gone: false,
            broken: false,
            given_up: None,
            reader: None,
            writer: None,
        }
    }

    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Whether the reader has read all that was written.
    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    pub(super) fn is_held(&self) -> bool {
        self.held
    }

    pub(super) fn set_passage(&mut self, passage: Passage) {
        self.line.set(passage);
    }

    /// Whether anything arrives.
    pub(super) fn hold(&mut self, held: bool, now: Instant) {
        self.arrive(now);
        self.held = held;
    }

    /// Reads; not yet: the moment at which there will be more, if that is known.
    pub(super) fn poll_read(
        &mut self,
        cx: &Context<'_>,
        buf: &mut ReadBuf<'_>,
        most: usize,
        now: Instant,
    ) -> Result<io::Result<()>, Option<Instant>> {
        if self.broken {
            return Ok(Err(io::ErrorKind::ConnectionReset.into()));
        }
        self.arrive(now);
        let left = self.written - self.arrived;
        let there = self.buffer.len() - usize::try_from(left).unwrap_or(usize::MAX);
        if there > 0 {
            let n = there.min(buf.remaining()).min(most);
            buf.put_slice(&self.buffer[..n]);
            self.buffer.advance(n);
            return Ok(Ok(()));
        }
        let end_at = self.end_at.filter(|_| !self.held && left == 0);
        if end_at.is_some_and(|at| at <= now) {
            return Ok(match self.end {
                End::Open | End::Finished => Ok(()),
                End::Reset => Err(io::ErrorKind::ConnectionReset.into()),
            });
        }
        if let Some((kind, at)) = self.given_up
            && at <= now
        {
            return Ok(Err(kind.into()));
        }
        self.wait_to_read(cx);
        let next = self.under_way.front().map(|(at, _)| *at);
        let next = next.filter(|_| !self.held).or(end_at);
        let given_up = self.given_up.map(|(_, at)| at);
        Err(next.into_iter().chain(given_up).min())
    }

    pub(super) fn poll_write(
        &mut self,
        cx: &Context<'_>,
        data: &[u8],
        most: usize,
        now: Instant,
    ) -> Poll<io::Result<Wrote>> {
        match self.refusal {
            Some((kind, at)) if at <= now => return Poll::Ready(Err(kind.into())),
            // The reset is on its way.
            Some(_) => return Poll::Ready(Ok(Wrote::Bytes(data.len()))),
            None => {}
        }
        if data.is_empty() {
            return Poll::Ready(Ok(Wrote::Bytes(0)));
        }
        if self.reader_gone {
            self.written += data.len() as u64;
            self.arrived = self.written;
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
        for piece in data[..n].chunks(self.line.piece()) {
            self.written += piece.len() as u64;
            let at = self.line.arrival(piece.len(), now);
            self.under_way.push_back((at, self.written));
        }
        Poll::Ready(Ok(if self.cut_at == Some(self.written) {
            Wrote::Cut(n)
        } else {
            Wrote::Bytes(n)
        }))
    }

    /// When what is said now without bytes is heard.
    pub(super) fn arrival(&mut self, now: Instant) -> Instant {
        self.line.arrival(0, now)
    }

    fn arrive(&mut self, now: Instant) {
        while !self.held
            && let Some((at, written)) = self.under_way.front()
            && *at <= now
        {
            self.arrived = *written;
            self.under_way.pop_front();
        }
    }

    pub(super) fn wait_to_read(&mut self, cx: &Context<'_>) {
        self.reader = Some(cx.waker().clone());
    }

    pub(super) fn wait_to_write(&mut self, cx: &Context<'_>) {
        self.writer = Some(cx.waker().clone());
    }

    /// No more bytes follow those that are in it.
    pub(super) fn finish(&mut self, now: Instant) {
        if self.end == End::Open {
            self.end = End::Finished;
            self.end_at = Some(self.line.arrival(0, now));
            self.refusal = Some((io::ErrorKind::BrokenPipe, now));
        }
    }

    /// Its writer breaks it: what is in it can still be read, as on Linux; then comes
    /// `ECONNRESET`. Returns when the reader's host knows.
    pub(super) fn reset(&mut self, now: Instant) -> Instant {
        let at = self.line.arrival(0, now);
        self.refusal = Some((io::ErrorKind::ConnectionReset, now));
        // What says so is sent once: if it is lost, the reader is never told.
        if !self.held {
            self.end = End::Reset;
            self.end_at = Some(at);
        }
        at
    }

    /// Its reader breaks it, and forgets what is in it; its writer is told at `told`, or, if that
    /// is never, when it writes.
    pub(super) fn refuse(&mut self, told: Option<Instant>) {
        self.buffer.clear();
        self.under_way.clear();
        self.arrived = self.written;
        self.broken = true;
        match told {
            Some(told) => self.refusal = Some((io::ErrorKind::ConnectionReset, told)),
            None => self.reader_gone = true,
        }
    }

    /// Its reader hears nothing any more, and is told so by its own host at `at`.
    pub(super) fn give_up_reading(&mut self, kind: io::ErrorKind, at: Instant) {
        self.given_up = Some((kind, at));
    }

    /// Its writer gets no answer any more, and is told so by its own host at `at`.
    pub(super) fn give_up_writing(&mut self, at: Instant) {
        self.refusal = Some((io::ErrorKind::TimedOut, at));
    }

    pub(super) fn take_reader(&mut self) -> Option<Waker> {
        self.reader.take()
    }

    pub(super) fn take_writer(&mut self) -> Option<Waker> {
        self.writer.take()
    }
}
