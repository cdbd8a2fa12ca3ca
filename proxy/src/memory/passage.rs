//! How bytes pass along one direction of a connection: late, unevenly, slowly.

use std::num::NonZeroU32;
use std::time::Duration;
use tokio::time::Instant;

/// How bytes pass from one host to another. The default: at once, all of them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Passage {
    /// From writing to arriving.
    pub latency: Duration,
    /// Up to so much more, drawn for each write; bytes stay in order.
    pub jitter: Duration,
    /// No more than so many bytes a second; none: as many as come.
    pub bytes_per_second: Option<NonZeroU32>,
}

/// The line between two hosts, one way.
#[derive(Debug)]
pub(super) struct Line {
    passage: Passage,
    /// The generator of the jitter.
    draw: u64,
    /// The last byte so far leaves the bottleneck.
    free: Option<Instant>,
    /// The last byte so far arrives.
    last: Option<Instant>,
}

impl Line {
    pub(super) fn new(passage: Passage, seed: u64) -> Self {
        Self {
            passage,
            draw: seed | 1,
            free: None,
            last: None,
        }
    }

    /// From now on bytes pass like this; those under way are not affected.
    pub(super) fn set(&mut self, passage: Passage) {
        self.passage = passage;
    }

    /// When `bytes` that are written now arrive; what has no length is an end.
    pub(super) fn arrival(&mut self, bytes: usize, now: Instant) -> Instant {
        let Passage {
            latency,
            jitter,
            bytes_per_second,
        } = self.passage;
        let mut leaves = now;
        if let Some(rate) = bytes_per_second {
            let micros = bytes as u64 * 1_000_000 / u64::from(rate.get());
            leaves = self.free.map_or(now, |free| free.max(now)) + Duration::from_micros(micros);
            self.free = Some(leaves);
        }
        let arrives = leaves + latency + self.jittered(jitter);
        // Nothing overtakes.
        let arrives = self.last.map_or(arrives, |last| last.max(arrives));
        self.last = Some(arrives);
        arrives
    }

    /// How many bytes at most arrive together.
    pub(super) fn piece(&self) -> usize {
        match self.passage.bytes_per_second {
            Some(_) => PIECE,
            None => usize::MAX,
        }
    }

    fn jittered(&mut self, jitter: Duration) -> Duration {
        let most = u64::try_from(jitter.as_micros()).unwrap_or(u64::MAX);
        if most == 0 {
            return Duration::ZERO;
        }
        // xorshift64, whose upper bits do for this.
        self.draw ^= self.draw << 13;
        self.draw ^= self.draw >> 7;
        self.draw ^= self.draw << 17;
        Duration::from_micros((self.draw >> 16) % (most + 1))
    }
}

/// About what a packet carries.
const PIECE: usize = 1400;
