//! Which peers a request may take now.

use std::time::Duration;

use crate::group::slot::Slot;
use crate::hash::below;
use crate::peer::PeerIndex;
use crate::peer_set::PeerSet;
use crate::sync::Ordering;
use crate::time::Time;
use crate::tried::Tried;

/// Which peers a request may take now, and how loaded they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gate<'a> {
    pub(crate) slots: &'a [Slot],
    pub(crate) now: Time,
    /// The flags that keep a peer out.
    pub(crate) mask: u32,
    /// The only peers that can serve the request; none: all can.
    pub(crate) serves: Option<&'a PeerSet>,
    /// Peers that are left out.
    pub(crate) tried: &'a Tried,
    /// Requests in flight at which a peer is full; 0 for never.
    pub(crate) cap: u32,
    /// Length of the slow start; none while no peer is in it.
    pub(crate) ramp: Option<Duration>,
}

impl Gate<'_> {
    /// Whether the peer may be taken at all.
    pub(crate) fn admits(&self, peer: u16) -> bool {
        let Some(slot) = self.slots.get(usize::from(peer)) else {
            return false;
        };
        slot.flags(self.now) & self.mask == 0
            && (self.cap == 0 || slot.load() < self.cap)
            && (self.tried.is_empty() || !self.tried.contains(PeerIndex(peer)))
            && self.serves.is_none_or(|set| set.contains(PeerIndex(peer)))
    }

    /// Whether it may be taken by this draw: a peer in its slow start takes a part of them.
    pub(crate) fn takes(&self, peer: u16, draw: u64) -> bool {
        self.admits(peer) && (self.ramp.is_none() || below(draw, WHOLE) < self.share(peer))
    }

    /// How much of its weight the peer has, in thousandths.
    pub(crate) fn share(&self, peer: u16) -> u64 {
        let (Some(ramp), Some(slot)) = (self.ramp, self.slots.get(usize::from(peer))) else {
            return WHOLE;
        };
        match slot.ramp_from.load(Ordering::Relaxed) {
            0 => WHOLE,
            from => ramped(self.now.since(Time::from_micros(from)), ramp),
        }
    }

    /// Requests in flight.
    pub(crate) fn load(&self, peer: u16) -> u64 {
        let slot = self.slots.get(usize::from(peer));
        slot.map_or(u64::MAX >> 32, |slot| u64::from(slot.load()))
    }

    pub(crate) fn weight(&self, peer: u16) -> u64 {
        let slot = self.slots.get(usize::from(peer));
        slot.map_or(0, |slot| u64::from(slot.weight))
    }

    /// Whether this is the request's first attempt.
    pub(crate) fn is_first(&self) -> bool {
        self.tried.is_empty()
    }
}

/// The share of a ramp from a tenth to the whole, in thousandths.
pub(crate) fn ramped(passed: Duration, ramp: Duration) -> u64 {
    if passed >= ramp {
        return WHOLE;
    }
    let part = passed.as_micros() * u128::from(WHOLE - TENTH) / ramp.as_micros().max(1);
    TENTH + u64::try_from(part).unwrap_or(WHOLE - TENTH)
}

/// The whole, in thousandths.
pub(crate) const WHOLE: u64 = 1_000;
/// Where a ramp begins: enough to warm a cache, too little to drown in.
const TENTH: u64 = 100;
