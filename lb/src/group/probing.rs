//! Requests that try out a peer whose breaker would let one through.

use super::pick::{Mood, NONE, Pick, PinLoss};
use super::search::{ALL, Search};
use super::slot::{BREAKER, COOLING};
use super::{Group, Tier};
use crate::breaker::{Admission, Ticket, Transition};
use crate::hash::mix;
use crate::peer::PeerIndex;
use crate::strategy::Strategy;
use crate::sync::Ordering;
use crate::tried::Tried;

impl Group {
    /// Frees the slot of a probe that ended without a verdict.
    pub(super) fn released(&self, peer: PeerIndex, ticket: Ticket) {
        let mut ledger = self.lock();
        if let Some(entry) = ledger.peers.get_mut(usize::from(peer.0)) {
            entry.breaker.release(ticket);
        }
        self.schedule_probes(&ledger);
    }
}

impl Search<'_> {
    /// Whether a probe is due that this request should make. One that may run twice makes it at
    /// once, for if the probe fails nobody will notice; any other leaves some time for such a one.
    /// A retry is no probe while there is another peer: its client has waited already.
    pub(super) fn wants_probe(&self) -> bool {
        let due = self.group.hot.probe_due.load(Ordering::Relaxed);
        let patience = if self.request.repeatable { 0 } else { PATIENCE };
        self.request.tried.is_empty() && self.now.as_micros() >= due.saturating_add(patience)
    }

    /// A probe in the tiers up to the one in use.
    pub(super) fn due_probe(&self) -> Option<Pick> {
        let active = self.group.hot.active.load(Ordering::Relaxed);
        let last = usize::try_from(active).unwrap_or(0);
        let forced = self.group.hot.forced.load(Ordering::Relaxed);
        let forced = u16::try_from(forced)
            .ok()
            .filter(|peer| self.may_probe(*peer, 0));
        forced
            .and_then(|peer| self.admit(PeerIndex(peer)))
            .or_else(|| {
                let tiers = self.group.tiers.get(..=last)?;
                if self.is_keyed() {
                    tiers.iter().find_map(|tier| self.owner_probe(tier))
                } else {
                    self.probe_in(tiers, 0, &NONE)
                }
            })
    }

    /// Whether the request has a peer of its own.
    fn is_keyed(&self) -> bool {
        self.request.hash.is_some() && self.group.policy.strategy == Strategy::ConsistentHash
    }

    /// A request with a key probes nobody but the peer that owns the key.
    fn owner_probe(&self, tier: &Tier) -> Option<Pick> {
        let gate = self.gate(ALL & !BREAKER, &NONE);
        let owner = tier.all.choose(&gate, self.seed)?;
        if self.may_probe(owner, 0) {
            self.admit(PeerIndex(owner))
        } else {
            None
        }
    }

    /// A probe in any tier, if one is due, of a peer that nothing but its breaker and the flags
    /// in `ignored` keep out.
    pub(super) fn probe(&self, ignored: u32, tried: &Tried) -> Option<Pick> {
        if self.now.as_micros() < self.group.hot.any_due.load(Ordering::Relaxed) {
            return None;
        }
        self.probe_in(&self.group.tiers, ignored, tried)
    }

    fn probe_in(&self, tiers: &[Tier], ignored: u32, tried: &Tried) -> Option<Pick> {
        let members = tiers.iter().flat_map(|tier| tier.members.iter().copied());
        members
            .filter(|peer| self.may_probe(*peer, ignored) && !tried.contains(PeerIndex(*peer)))
            .find_map(|peer| self.admit(PeerIndex(peer)))
    }

    fn may_probe(&self, peer: u16, ignored: u32) -> bool {
        let slot = self.group.slot(PeerIndex(peer));
        slot.is_some_and(|slot| slot.flags(self.now) & !(COOLING | ignored) == BREAKER)
            && self.can_serve(PeerIndex(peer))
    }

    /// Asks the peer's breaker for a probe's slot.
    pub(super) fn admit(&self, peer: PeerIndex) -> Option<Pick> {
        let policy = self.group.policy.breaker.as_ref()?;
        let mut ledger = self.group.lock();
        let entry = ledger.peers.get_mut(usize::from(peer.0))?;
        let ticket = match entry.breaker.admit(policy, self.now, mix(self.entropy)) {
            Admission::Admitted(ticket) => Some(ticket),
            Admission::HalfOpened(ticket) => {
                let transition = Transition::HalfOpened;
                self.group
                    .transition(&mut ledger, peer, transition, self.now);
                Some(ticket)
            }
            Admission::Refused => None,
            Admission::Reopened(transition) => {
                self.group
                    .transition(&mut ledger, peer, transition, self.now);
                None
            }
        };
        self.group.schedule_probes(&ledger);
        drop(ledger);
        self.enter(peer, Some(ticket?), Mood::Calm)
    }

    /// Whether a peer that could serve the request is being tried out, and not for long.
    pub(super) fn is_probed(&self) -> bool {
        let Some(policy) = &self.group.policy.breaker else {
            return false;
        };
        let ledger = self.group.lock();
        let entries = (0_u16..).zip(&ledger.peers);
        entries
            .filter(|(peer, _)| self.may_probe(*peer, 0))
            .any(|(_, entry)| entry.breaker.is_probed(policy, self.now))
    }

    /// Why a peer's breaker did not admit.
    pub(super) fn refusal(&self, peer: PeerIndex) -> PinLoss {
        let Some(policy) = &self.group.policy.breaker else {
            return PinLoss::Open;
        };
        let ledger = self.group.lock();
        match ledger.peers.get(usize::from(peer.0)) {
            Some(entry) if entry.breaker.is_probed(policy, self.now) => PinLoss::HalfOpen,
            _ => PinLoss::Open,
        }
    }
}

/// How long a due probe is left to requests that may run twice, in microseconds.
const PATIENCE: u64 = 1_000_000;
