//! Finding a peer for a request.
//!
//! In this order: the peer a request is pinned to; a probe that is due; the peer an operator put
//! first; the tier in use, then the others, best first; a probe that nobody else would make; then
//! peers that are cooling down; then peers that were tried; then, when health checks keep all out,
//! any that they alone keep out.

use std::sync::Arc;
use std::time::Duration;

use super::change::Change;
use super::pick::{Mood, NONE, NoPeer, Pick, PickRequest, PinLoss, Settled};
use super::slot::{BREAKER, COOLING, DISABLED, OUT, Slot, UNHEALTHY};
use super::{Group, NEVER, Tier};
use crate::breaker::Ticket;
use crate::hash::{below, mix};
use crate::peer::PeerIndex;
use crate::select::{Gate, Pool, Seed, WHOLE, ramped};
use crate::sync::Ordering;
use crate::time::Time;
use crate::tried::Tried;

/// One request's search.
pub(super) struct Search<'a> {
    pub(super) group: &'a Arc<Group>,
    pub(super) request: &'a PickRequest<'a>,
    pub(super) seed: Seed,
    pub(super) now: Time,
    pub(super) entropy: u64,
    /// The region wanted, as a position in the group's.
    pub(super) region: Option<usize>,
}

impl Group {
    /// Finds a peer for a request.
    ///
    /// # Errors
    ///
    /// When no peer may be tried; the reason says what to answer.
    pub fn pick(
        self: &Arc<Self>,
        request: &PickRequest<'_>,
        now: Time,
        entropy: u64,
    ) -> Result<Pick, NoPeer> {
        if now.as_micros() >= self.hot.alarm.load(Ordering::Relaxed) {
            let mut ledger = self.lock();
            self.publish(&mut ledger, now, entropy);
        }
        let search = Search {
            group: self,
            request,
            seed: Seed {
                key: request.hash,
                entropy: mix(entropy),
                bound: self.policy.bounded_load,
            },
            now,
            entropy,
            region: self.wanted(request.region),
        };
        match request.pin {
            Some(peer) => search.pinned(peer),
            None => search.run(),
        }
    }

    fn wanted(&self, region: Option<&str>) -> Option<usize> {
        let find = |name: &str| {
            let order = |region: &String| region.as_str().cmp(name);
            self.regions.binary_search_by(order).ok()
        };
        region.and_then(find).or(self.local)
    }
}

impl Search<'_> {
    fn run(&self) -> Result<Pick, NoPeer> {
        let tried = self.request.tried;
        if self.request.retry_same
            && let Some(last) = tried.last()
            && let Some(pick) = self.again(last)
        {
            return Ok(pick);
        }
        if self.wants_probe()
            && let Some(pick) = self.due_probe()
        {
            return Ok(pick);
        }
        self.in_order(ALL, tried)
            .or_else(|| self.probe(0, tried))
            .or_else(|| self.in_order(ALL & !COOLING, tried))
            .or_else(|| self.in_order(ALL & !COOLING, &NONE))
            .or_else(|| self.probe(0, &NONE))
            .or_else(|| self.panic())
            .ok_or_else(|| self.no_peer())
    }

    fn pinned(&self, peer: PeerIndex) -> Result<Pick, NoPeer> {
        let lost = |loss| Err(NoPeer::PinLost(peer, loss));
        let Some(slot) = self.group.slot(peer) else {
            return lost(PinLoss::Gone);
        };
        if !self.can_serve(peer) {
            return lost(PinLoss::Unfit);
        }
        let flags = slot.flags(self.now);
        if flags & DISABLED != 0 {
            lost(PinLoss::Disabled)
        } else if flags & UNHEALTHY != 0 {
            lost(PinLoss::Unhealthy)
        } else if flags & BREAKER != 0 {
            self.admit(peer)
                .ok_or_else(|| NoPeer::PinLost(peer, self.refusal(peer)))
        } else {
            self.enter(peer, None, Mood::Calm).ok_or(NoPeer::Busy)
        }
    }

    /// The peer tried last once more, if it takes requests at all.
    fn again(&self, peer: PeerIndex) -> Option<Pick> {
        let gate = self.gate(ALL & !COOLING, &NONE);
        if gate.admits(peer.0) {
            self.enter(peer, None, Mood::Calm)
        } else {
            None
        }
    }

    /// One that the flags in `mask` do not keep out, in the order of the tiers.
    fn in_order(&self, mask: u32, tried: &Tried) -> Option<Pick> {
        let gate = self.gate(mask, tried);
        let forced = self.group.hot.forced.load(Ordering::Relaxed);
        if let Ok(forced) = u16::try_from(forced)
            && gate.admits(forced)
            && let Some(pick) = self.enter(PeerIndex(forced), None, Mood::Calm)
        {
            return Some(pick);
        }
        let first = self.first_tier();
        let tiers = &self.group.tiers;
        if let Some(pick) = tiers.get(first).and_then(|tier| self.in_tier(tier, &gate)) {
            return Some(pick);
        }
        let others = tiers.iter().enumerate().filter(|(at, _)| *at != first);
        others
            .into_iter()
            .find_map(|(_, tier)| self.in_tier(tier, &gate))
    }

    /// The tier in use. After a return, traffic moves back to the better tier bit by bit.
    fn first_tier(&self) -> usize {
        let hot = &self.group.hot;
        let active = hot.active.load(Ordering::Relaxed);
        let returned = hot.returned.load(Ordering::Relaxed);
        let tier = if returned == NEVER {
            active
        } else {
            let passed = self.now.since(Time::from_micros(returned));
            let share = ramped(passed, self.group.policy.failback.ramp);
            if below(mix(self.entropy ^ RETURN), WHOLE) < share {
                active
            } else {
                hot.previous.load(Ordering::Relaxed)
            }
        };
        usize::try_from(tier).unwrap_or(0)
    }

    /// One of the tier: of the wanted region, then of the fallback regions, then any.
    fn in_tier(&self, tier: &Tier, gate: &Gate<'_>) -> Option<Pick> {
        if !tier.regions.is_empty() {
            let fallback = self.group.fallback.iter().copied();
            for region in self.region.into_iter().chain(fallback) {
                let pool = tier.regions.get(region).and_then(Option::as_ref);
                if let Some(pick) = pool.and_then(|pool| self.in_pool(pool, gate)) {
                    return Some(pick);
                }
            }
        }
        self.in_pool(&tier.all, gate)
    }

    fn in_pool(&self, pool: &Pool, gate: &Gate<'_>) -> Option<Pick> {
        if gate.mask == ALL && pool.usable.load(Ordering::Relaxed) == 0 {
            return None;
        }
        // A peer may fill up between the choice and the entry.
        for _ in 0..ENTRIES {
            let peer = PeerIndex(pool.choose(gate, self.seed)?);
            if let Some(pick) = self.enter(peer, None, Mood::Calm) {
                return Some(pick);
            }
        }
        None
    }

    pub(super) fn gate<'g>(&'g self, mask: u32, tried: &'g Tried) -> Gate<'g> {
        let group = self.group;
        let ramp_end = group.hot.ramp_end.load(Ordering::Relaxed);
        let ramp = match &group.policy.breaker {
            Some(policy) if self.now.as_micros() < ramp_end => Some(policy.slow_start),
            _ => None,
        };
        Gate {
            slots: &group.slots,
            now: self.now,
            mask,
            serves: self.request.serves,
            tried,
            cap: group.policy.max_in_flight,
            ramp,
        }
    }

    /// Takes a place at the peer; none when it is full.
    pub(super) fn enter(&self, peer: PeerIndex, probe: Option<Ticket>, mood: Mood) -> Option<Pick> {
        let slot = self.group.slot(peer)?;
        let cap = self.group.policy.max_in_flight;
        let before = slot.lasting.in_flight.fetch_add(1, Ordering::Relaxed);
        if cap > 0 && before >= cap && probe.is_none() {
            slot.lasting.in_flight.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let ticket = probe.unwrap_or_else(|| Ticket {
            epoch: slot.epoch.load(Ordering::Acquire),
            probe: None,
        });
        Some(Pick {
            group: Arc::clone(self.group),
            peer,
            ticket,
            mood,
            settled: Settled::No,
        })
    }

    /// When health checks keep all out, they are more likely wrong than all peers down. One
    /// attempt: a storm of retries would help neither case. Breakers and operators still count.
    fn panic(&self) -> Option<Pick> {
        if !self.request.tried.is_empty() || self.group.usable() > 0 {
            return None;
        }
        let gate = self.gate(ALL & !COOLING & !UNHEALTHY, &NONE);
        let chosen = self.group.tiers.iter().find_map(|tier| {
            let peer = PeerIndex(tier.all.choose(&gate, self.seed)?);
            self.enter(peer, None, Mood::Panic)
        });
        let mut pick = chosen.or_else(|| self.probe(UNHEALTHY, &NONE))?;
        pick.mood = Mood::Panic;
        if !self.group.hot.panic.load(Ordering::Relaxed) {
            let mut ledger = self.group.lock();
            if self.group.usable() == 0 && !self.group.hot.panic.swap(true, Ordering::AcqRel) {
                self.group.note(&mut ledger, Change::PanicStarted);
            }
        }
        Some(pick)
    }

    /// Whether the peer can serve the request at all, usable or not.
    pub(super) fn can_serve(&self, peer: PeerIndex) -> bool {
        self.request.serves.is_none_or(|set| set.contains(peer))
    }

    fn no_peer(&self) -> NoPeer {
        let flags = |slot: &Slot| slot.flags(self.now);
        let peers = (0_u16..).map(PeerIndex).zip(&self.group.slots);
        let mut slots = peers
            .filter(|(peer, _)| self.can_serve(*peer))
            .map(|(_, slot)| slot)
            .peekable();
        if slots.peek().is_none() {
            return NoPeer::NoneServes;
        }
        if slots.clone().any(|slot| flags(slot) & OUT == 0) {
            return NoPeer::Busy;
        }
        let kept = |slot: &Slot| flags(slot) & !(COOLING | UNHEALTHY) == BREAKER;
        if slots.any(kept) {
            let at = self.group.hot.reopens.load(Ordering::Relaxed);
            let retry_after = Time::from_micros(at).since(self.now).max(SOON);
            return NoPeer::AllOpen {
                retry_after,
                probed: at == 0 && self.is_probed(),
            };
        }
        NoPeer::NoneUsable
    }
}

/// What keeps a peer out at first.
pub(super) const ALL: u32 = OUT | COOLING;
/// What to wait for while probes are under way: about as long as they take.
const SOON: Duration = Duration::from_millis(500);
/// Tries to enter a pool whose peers fill up meanwhile.
const ENTRIES: u32 = 3;
/// Sets the draw between tiers apart from the draw between peers.
const RETURN: u64 = 0x5bd1_e995;
