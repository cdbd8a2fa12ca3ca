//! What the lock-free paths know of one peer.

use std::sync::Arc;

use crate::breaker::Tally;
use crate::sync::{AtomicU32, AtomicU64, Ordering};
use crate::time::Time;

/// One peer's atomics. Aligned, so that peers do not share cache lines.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Slot {
    /// Why it takes no new request; zero for the peer that does.
    pub(crate) flags: AtomicU32,
    /// The breaker's epoch, for tickets made without the lock.
    pub(crate) epoch: AtomicU32,
    /// Until when `COOLING` holds, in microseconds.
    pub(crate) cooling_until: AtomicU64,
    /// When its slow start began, in microseconds; 0 for never.
    pub(crate) ramp_from: AtomicU64,
    pub(crate) weight: u16,
    pub(crate) tally: Tally,
    /// Shared with the slots of the same peer in the groups before and after a reload.
    pub(crate) lasting: Arc<Lasting>,
}

/// What goes on whatever is configured: requests that began before a reload are still in flight
/// after it, and those that wait still hear that their peer was lost.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Lasting {
    pub(crate) in_flight: AtomicU32,
    pub(crate) losses: AtomicU32,
}

/// Health checks say that it is down.
pub(crate) const UNHEALTHY: u32 = 1;
/// Its breaker is not closed.
pub(crate) const BREAKER: u32 = 2;
/// Taken out by an operator.
pub(crate) const DISABLED: u32 = 4;
/// Serves what it has, takes nothing new.
pub(crate) const DRAINING: u32 = 8;
/// Overloaded, for a while.
pub(crate) const COOLING: u32 = 16;
/// Weight zero: takes nothing new.
pub(crate) const IDLE: u32 = 32;
/// What makes a peer unusable, as tiers count; a cooldown or a full peer passes too soon.
pub(crate) const OUT: u32 = UNHEALTHY | BREAKER | DISABLED | DRAINING | IDLE;

impl Slot {
    pub(crate) fn new(weight: u16, lasting: Arc<Lasting>) -> Self {
        Self {
            flags: AtomicU32::new(if weight == 0 { IDLE } else { 0 }),
            epoch: AtomicU32::new(0),
            cooling_until: AtomicU64::new(0),
            ramp_from: AtomicU64::new(0),
            weight,
            tally: Tally::new(),
            lasting,
        }
    }

    /// The flags that hold at `now`; an ended cooldown is cleared on the way.
    pub(crate) fn flags(&self, now: Time) -> u32 {
        let flags = self.flags.load(Ordering::Acquire);
        if flags & COOLING == 0 || self.is_cooling(now) {
            return flags;
        }
        self.flags.fetch_and(!COOLING, Ordering::AcqRel);
        // A cooldown that began meanwhile is put back.
        if self.is_cooling(now) {
            self.flags.fetch_or(COOLING, Ordering::AcqRel);
        }
        self.flags.load(Ordering::Acquire)
    }

    pub(crate) fn cool(&self, until: Time) {
        self.cooling_until
            .fetch_max(until.as_micros(), Ordering::AcqRel);
        self.flags.fetch_or(COOLING, Ordering::AcqRel);
    }

    pub(crate) fn set(&self, flag: u32) {
        self.flags.fetch_or(flag, Ordering::AcqRel);
    }

    pub(crate) fn clear(&self, flag: u32) {
        self.flags.fetch_and(!flag, Ordering::AcqRel);
    }

    pub(crate) fn load(&self) -> u32 {
        self.lasting.in_flight.load(Ordering::Relaxed)
    }

    pub(crate) fn lose(&self) {
        self.lasting.losses.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn losses(&self) -> u32 {
        self.lasting.losses.load(Ordering::Acquire)
    }

    fn is_cooling(&self, now: Time) -> bool {
        now.as_micros() < self.cooling_until.load(Ordering::Acquire)
    }
}

impl Lasting {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            in_flight: AtomicU32::new(0),
            losses: AtomicU32::new(0),
        })
    }
}
