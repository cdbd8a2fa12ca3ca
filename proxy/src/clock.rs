//! The only source of `now` and of entropy.
//!
//! It reads tokio's clock, so that paused time works, and draws from a generator that a
//! simulation seeds.

use lb::Time;
use std::cell::Cell;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// Where the clocks of one process come from; one per process.
#[derive(Clone, Copy, Debug)]
pub struct ClockSource {
    origin: Instant,
    seed: u64,
    seeded: bool,
}

impl ClockSource {
    /// The system's time and entropy.
    pub fn system() -> Self {
        // The standard library's hasher is keyed by the operating system's generator.
        let seed = std::hash::RandomState::new().build_hasher().finish();
        Self {
            origin: Instant::now(),
            seed,
            seeded: false,
        }
    }

    /// tokio's time and entropy that depends on nothing but `seed`: for simulations only, since
    /// the nonces of sealed ids are then predictable.
    pub fn seeded(seed: u64) -> Self {
        Self {
            origin: Instant::now(),
            seed,
            seeded: true,
        }
    }

    /// The clock of one thread.
    pub fn clock(&self, thread: usize) -> Clock {
        let state = self.seed ^ (thread as u64 + 1).wrapping_mul(GOLDEN);
        Clock {
            origin: self.origin,
            state: Cell::new(state),
            seeded: self.seeded,
            recent: Cell::new(Time::ZERO),
        }
    }

    /// The present.
    pub fn now(&self) -> Time {
        since(self.origin)
    }
}

/// The clock and the generator of one thread.
#[derive(Debug)]
pub struct Clock {
    origin: Instant,
    state: Cell<u64>,
    seeded: bool,
    recent: Cell<Time>,
}

impl Clock {
    /// The present.
    pub fn now(&self) -> Time {
        let now = since(self.origin);
        self.recent.set(now);
        now
    }

    /// What was last read, which costs nothing; no older than a tick (100 ms), since the look over
    /// the connections reads it each time.
    pub fn recent(&self) -> Time {
        self.recent.get()
    }

    /// 64 random bits, not for secrets (`SplitMix64`).
    pub fn entropy(&self) -> u64 {
        let state = self.state.get().wrapping_add(GOLDEN);
        self.state.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A nonce for sealing: from the operating system's generator, unless this clock is seeded.
    pub fn nonce(&self) -> [u8; 12] {
        let mut nonce = [0; 12];
        if self.seeded || aws_lc_rs::rand::fill(&mut nonce).is_err() {
            nonce[..8].copy_from_slice(&self.entropy().to_be_bytes());
            nonce[8..].copy_from_slice(&self.entropy().to_be_bytes()[..4]);
        }
        nonce
    }

    /// Seconds since 1970, for what outlives the process; zero if the system's date is before.
    pub fn unix_seconds(&self) -> u64 {
        if self.seeded {
            return self.now().as_micros() / 1_000_000;
        }
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs())
    }
}

fn since(origin: Instant) -> Time {
    let micros = Instant::now().saturating_duration_since(origin).as_micros();
    Time::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

/// 2^64 divided by the golden ratio: the step of `SplitMix64`.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
