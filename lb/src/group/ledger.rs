//! What is known of a group and changes rarely; behind the group's one lock.

use super::change::{Change, Changes};
use super::slot::{BREAKER, COOLING, OUT, UNHEALTHY};
use super::{Admin, Group, NEVER, Tier};
use crate::breaker::{Breaker, Phase, Transition, Trip};
use crate::health::Health;
use crate::peer::PeerIndex;
use crate::select::Pool;
use crate::sync::Ordering;
use crate::tier::{Active, Switch, SwitchKind};
use crate::time::Time;

/// The states of all peers and of the group.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) peers: Vec<Entry>,
    pub(super) active: Active,
    pub(super) changes: Changes,
}

/// The states of one peer.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) breaker: Breaker,
    pub(super) health: Health,
    pub(super) admin: Admin,
    /// Why it last stopped being usable.
    pub(super) last_trip: Option<Trip>,
}

impl Ledger {
    pub(super) fn new(peers: usize, tiers: usize) -> Self {
        let entry = || Entry {
            breaker: Breaker::new(),
            health: Health::default(),
            admin: Admin::Enabled,
            last_trip: None,
        };
        Self {
            peers: std::iter::repeat_with(entry).take(peers).collect(),
            active: Active::new(tiers),
            changes: Changes::default(),
        }
    }
}

impl Group {
    /// Writes down what a breaker did, and tells the atomics.
    pub(super) fn transition(
        &self,
        ledger: &mut Ledger,
        peer: PeerIndex,
        transition: Transition,
        now: Time,
    ) {
        let (Some(slot), Some(entry)) =
            (self.slot(peer), ledger.peers.get_mut(usize::from(peer.0)))
        else {
            return;
        };
        slot.epoch.store(entry.breaker.epoch(), Ordering::Release);
        let change = match transition {
            Transition::Closed => {
                slot.tally.reset();
                self.ramp(peer, now);
                slot.clear(BREAKER);
                Change::BreakerClosed { peer }
            }
            Transition::HalfOpened => Change::BreakerHalfOpened { peer },
            Transition::Opened { until, why } => {
                entry.last_trip = Some(why);
                slot.set(BREAKER);
                slot.lose();
                Change::BreakerOpened {
                    peer,
                    failures: slot.tally.in_a_row(),
                    until,
                    why,
                }
            }
        };
        self.note(ledger, change);
    }

    pub(super) fn note(&self, ledger: &mut Ledger, change: Change) {
        ledger.changes.push(change);
        self.changed.store(true, Ordering::Release);
    }

    /// Begins a peer's slow start.
    pub(super) fn ramp(&self, peer: PeerIndex, now: Time) {
        let (Some(slot), Some(policy)) = (self.slot(peer), &self.policy.breaker) else {
            return;
        };
        if !policy.slow_start.is_zero() {
            slot.ramp_from
                .store(now.as_micros().max(1), Ordering::Relaxed);
            let end = (now + policy.slow_start).as_micros();
            self.hot.ramp_end.fetch_max(end, Ordering::Release);
        }
    }

    /// Works out what follows from the states: usable peers, tier in use, next times to look.
    pub(super) fn publish(&self, ledger: &mut Ledger, now: Time, entropy: u64) {
        let mut usable_in_all = 0;
        let mut available = Vec::with_capacity(self.tiers.len());
        for tier in &self.tiers {
            let usable = self.count(&tier.all, now);
            for pool in tier.regions.iter().flatten() {
                self.count(pool, now);
            }
            let size = u32::try_from(tier.members.len()).unwrap_or(u32::MAX);
            available.push(usable >= self.policy.min_healthy.min(size));
            usable_in_all += usable;
        }
        if usable_in_all > 0 && self.hot.panic.swap(false, Ordering::AcqRel) {
            self.note(ledger, Change::PanicEnded);
        }
        let failback = &self.policy.failback;
        if let Some(switch) = ledger.active.update(&available, failback, now, entropy) {
            self.switched(ledger, switch, now);
        }
        let alarm = ledger.active.alarm(failback);
        let alarm = alarm.map_or(NEVER, Time::as_micros);
        self.hot.alarm.store(alarm, Ordering::Release);
        self.schedule_probes(ledger);
    }

    /// Tells the atomics that another tier is in use.
    pub(super) fn switched(&self, ledger: &mut Ledger, switch: Switch, now: Time) {
        let number = |tier: usize| u32::try_from(tier).unwrap_or(0);
        let slow = switch.kind == SwitchKind::Failback && !self.policy.failback.ramp.is_zero();
        let returned = if slow { now.as_micros() } else { NEVER };
        self.hot.returned.store(NEVER, Ordering::Release);
        self.hot
            .previous
            .store(number(switch.from), Ordering::Release);
        self.hot.active.store(number(switch.to), Ordering::Release);
        self.hot.returned.store(returned, Ordering::Release);
        let priority = |tier: usize| self.tiers.get(tier).map_or(0, |tier| tier.priority);
        let change = Change::TierChanged {
            from: priority(switch.from),
            to: priority(switch.to),
        };
        self.note(ledger, change);
    }

    /// Works out when breakers would admit a probe: of those in the tier in use, in a better one,
    /// or of the peer that an operator put first; and of any.
    pub(super) fn schedule_probes(&self, ledger: &Ledger) {
        let Some(policy) = &self.policy.breaker else {
            return;
        };
        let active = ledger.active.tier();
        let forced = self.hot.forced.load(Ordering::Relaxed);
        let (mut wanted, mut any, mut reopens) = (NEVER, NEVER, NEVER);
        for (at, (entry, slot)) in ledger.peers.iter().zip(&self.slots).enumerate() {
            let flags = slot.flags.load(Ordering::Acquire) & !COOLING;
            if flags & !UNHEALTHY != BREAKER {
                continue;
            }
            let due = entry.breaker.due(policy).map_or(NEVER, Time::as_micros);
            any = any.min(due);
            reopens = reopens.min(match entry.breaker.phase() {
                Phase::Open(until) => until.as_micros(),
                Phase::Closed | Phase::HalfOpen => 0,
            });
            let in_use = self.tier_of.get(at).is_some_and(|tier| *tier <= active);
            if flags == BREAKER && (in_use || u32::try_from(at) == Ok(forced)) {
                wanted = wanted.min(due);
            }
        }
        self.hot.probe_due.store(wanted, Ordering::Release);
        self.hot.any_due.store(any, Ordering::Release);
        self.hot.reopens.store(reopens, Ordering::Release);
    }

    /// Peers that may be taken, as far as tiers count.
    pub(super) fn usable(&self) -> u32 {
        let usable = |tier: &Tier| tier.all.usable.load(Ordering::Acquire);
        self.tiers.iter().map(usable).sum()
    }

    fn count(&self, pool: &Pool, now: Time) -> u32 {
        let usable = |peer: &&u16| {
            let slot = self.slots.get(usize::from(**peer));
            slot.is_some_and(|slot| slot.flags(now) & OUT == 0)
        };
        let usable = pool.members().iter().filter(usable).count();
        let usable = u32::try_from(usable).unwrap_or(u32::MAX);
        pool.usable.store(usable, Ordering::Release);
        usable
    }
}
