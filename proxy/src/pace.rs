//! How long a response body may be silent, and what is done about it.

use crate::drain::{Drain, Step};
use crate::hooks::Hooks;
use crate::network::Network;
use crate::thread::Thread;
use crate::ticker::{Alarm, Ring};
use bytes::Bytes;
use lb::{PeerIndex, Time};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// How a response may dawdle.
pub(crate) struct Pace {
    alarm: Alarm,
    /// Between two pieces: after it an event stream gets a comment, another body is cut.
    idle: Option<Duration>,
    total: Option<Time>,
    last: Time,
    events: Option<Boundary>,
    /// The step of a drain at which there is no more time.
    leaves: Step,
}

/// Whether an event stream stands between two events.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Boundary {
    At,
    Within,
}

/// What a body is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BodyKind {
    /// The answer to a call of gRPC: it may be silent, and lasts as long as its client waits.
    Call,
    /// Events: after so long a silence it gets a comment.
    Events(Option<Duration>),
    /// Anything else.
    Plain,
}

/// The bounds of a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PaceBounds {
    pub(crate) idle: Option<Duration>,
    pub(crate) total: Option<Time>,
    /// What bounds an event stream.
    pub(crate) kind: BodyKind,
}

/// What became of waiting for the next piece.
pub(crate) enum Dawdle {
    /// A quiet event stream is to get a comment.
    Comment,
    /// The body is to be cut.
    Late,
    /// The peer, or the server, leaves, and there is no more time.
    Left,
    /// The peer was declared lost; it may stand still without a word.
    Lost,
}

impl Pace {
    pub(crate) fn new<N: Network, H: Hooks>(thread: &Thread<N, H>, bounds: PaceBounds) -> Self {
        let (idle, total, events, leaves) = match bounds.kind {
            // Event streams are exempt from both; a quiet one gets a comment instead.
            BodyKind::Events(keepalive) => (keepalive, None, Some(Boundary::At), Step::Over),
            BodyKind::Call => (None, bounds.total, None, Step::Over),
            BodyKind::Plain => (bounds.idle, bounds.total, None, Step::RequestsOver),
        };
        let now = thread.clock.recent();
        let first = idle.map(|idle| now + idle).into_iter().chain(total).min();
        Self {
            alarm: thread.ticker.alarm(first),
            idle,
            total,
            last: now,
            events,
            leaves,
        }
    }

    /// Ends in time when this drain, or the server's, says so.
    pub(crate) fn follow(&self, drain: &Arc<Drain>) {
        self.alarm.until(drain, self.leaves);
    }

    /// Ends also when the peer is lost: nothing breaks a connection to a process that stands still.
    pub(crate) fn watch(&self, group: &Arc<lb::Group>, peer: PeerIndex) {
        self.alarm.watch(group, peer);
    }

    /// A piece went by.
    pub(crate) fn passed(&mut self, data: &Bytes, now: Time) {
        self.last = now;
        if let Some(boundary) = &mut self.events {
            let blank: [&[u8]; 3] = [b"\n\n", b"\r\n\r\n", b"\r\r"];
            // A piece may end in the middle of a blank line: then the next comment waits.
            let at = blank.iter().any(|end| data.ends_with(end));
            *boundary = if at { Boundary::At } else { Boundary::Within };
        }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, now: impl Fn() -> Time) -> Poll<Dawdle> {
        loop {
            match ready!(self.alarm.poll(cx)) {
                Ring::Left => return Poll::Ready(Dawdle::Left),
                Ring::Lost => {
                    self.alarm.stay();
                    return Poll::Ready(Dawdle::Lost);
                }
                Ring::Time => {}
            }
            let now = now();
            let due = self.idle.map(|idle| self.last + idle);
            if self.total.is_some_and(|total| total <= now) {
                return Poll::Ready(Dawdle::Late);
            }
            if due.is_some_and(|due| due <= now) {
                match self.events {
                    None => return Poll::Ready(Dawdle::Late),
                    Some(boundary) => {
                        self.last = now;
                        self.alarm.set(self.idle.map(|idle| now + idle));
                        if boundary == Boundary::At {
                            return Poll::Ready(Dawdle::Comment);
                        }
                        continue;
                    }
                }
            }
            // Pieces went by since the alarm was set.
            self.alarm.set(due.into_iter().chain(self.total).min());
        }
    }
}

/// An event stream comment: clients skip it, and know that the stream lives.
pub(crate) const COMMENT: &[u8] = b":\n\n";
