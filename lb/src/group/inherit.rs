//! Carrying over what is known across a reload.

use super::slot::{BREAKER, DISABLED, DRAINING, Slot, UNHEALTHY};
use super::{Group, NOBODY, Tier};
use crate::breaker::Phase;
use crate::sync::Ordering;
use crate::time::Time;

impl Group {
    /// Takes over what `old`, which this group was made by [`Group::succeeded`] to follow, knows
    /// of its peers: health, breaker, what operators said, failure counts; and of the group:
    /// budget, tier in use, forced primary. The verdicts of requests in flight stay with the group
    /// that picked their peers. Called before this group is used.
    pub fn inherit(&self, old: &Self, now: Time) {
        if std::ptr::eq(self, old) {
            return;
        }
        let before = old.lock();
        let mut ledger = self.lock();
        let forced = old.hot.forced.load(Ordering::Relaxed);
        for (at, (was, slot)) in self.was.iter().zip(&self.slots).enumerate() {
            let Some(was) = was.map(|was| usize::from(was.0)) else {
                continue;
            };
            let (Some(entry), Some(from), Some(known)) = (
                ledger.peers.get_mut(at),
                old.slots.get(was),
                before.peers.get(was),
            ) else {
                continue;
            };
            entry.health = known.health;
            entry.admin = known.admin;
            let mut flags = UNHEALTHY | DISABLED | DRAINING;
            if self.policy.breaker.is_some() {
                entry.breaker = known.breaker.clone();
                // Their picks hold the old group.
                entry.breaker.forget_probes();
                entry.last_trip = known.last_trip;
                if entry.breaker.phase() != Phase::Closed {
                    flags |= BREAKER;
                }
            }
            slot.epoch.store(entry.breaker.epoch(), Ordering::Release);
            carry(slot, from, flags);
            if u32::try_from(was) == Ok(forced) {
                let to = u32::try_from(at).unwrap_or(NOBODY);
                self.hot.forced.store(to, Ordering::Release);
            }
        }
        let ramp_end = old.hot.ramp_end.load(Ordering::Relaxed);
        self.hot.ramp_end.store(ramp_end, Ordering::Release);
        let was = |tier: &Tier| {
            old.tiers
                .iter()
                .position(|old| old.priority == tier.priority)
        };
        let tiers: Vec<Option<usize>> = self.tiers.iter().map(was).collect();
        ledger.active.inherit(&before.active, &tiers);
        let active = u32::try_from(ledger.active.tier()).unwrap_or(0);
        self.hot.active.store(active, Ordering::Release);
        self.budget.copy(&old.budget);
        self.publish(&mut ledger, now, 0);
    }
}

fn carry(slot: &Slot, from: &Slot, flags: u32) {
    slot.set(from.flags.load(Ordering::Acquire) & flags);
    let until = from.cooling_until.load(Ordering::Acquire);
    slot.cool(Time::from_micros(until));
    slot.ramp_from
        .store(from.ramp_from.load(Ordering::Relaxed), Ordering::Relaxed);
    slot.tally.copy(&from.tally);
}
