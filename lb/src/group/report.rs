//! What attempts and health checks report.

use std::time::Duration;

use super::Group;
use super::change::Change;
use super::slot::UNHEALTHY;
use crate::breaker::{Ticket, Trip};
use crate::classify::Verdict;
use crate::health::{Probed, Turn};
use crate::peer::PeerIndex;
use crate::sync::Ordering;
use crate::time::Time;

impl Group {
    /// A health check of the peer has a result.
    pub fn probed(&self, peer: PeerIndex, passed: Probed, now: Time, entropy: u64) {
        let mut ledger = self.lock();
        let active = ledger.active.tier();
        let (Some(slot), Some(entry)) =
            (self.slot(peer), ledger.peers.get_mut(usize::from(peer.0)))
        else {
            return;
        };
        let failures = entry.health.against().saturating_add(1);
        let turn = entry.health.result(passed, self.policy.health);
        let opened = match (passed, &self.policy.breaker) {
            (Probed::Passed, Some(policy)) if !entry.health.is_down() => {
                if self.tier_of.get(usize::from(peer.0)) <= Some(&active) {
                    entry.breaker.check_passed(now)
                } else {
                    entry.breaker.idle_check_passed(policy, now)
                }
            }
            _ => None,
        };
        match turn {
            Some(Turn::Down) => {
                slot.set(UNHEALTHY);
                slot.lose();
                self.note(&mut ledger, Change::PeerUnhealthy { peer, failures });
            }
            Some(Turn::Up) => {
                self.ramp(peer, now);
                slot.clear(UNHEALTHY);
                self.note(&mut ledger, Change::PeerHealthy { peer });
            }
            None => {}
        }
        if let Some(transition) = opened {
            self.transition(&mut ledger, peer, transition, now);
        }
        let alarmed = now.as_micros() >= self.hot.alarm.load(Ordering::Acquire);
        if turn.is_some() || opened.is_some() || alarmed {
            self.publish(&mut ledger, now, entropy);
        }
    }

    /// The peer has too much to do: it gets no new request for so long, unless no other is left.
    /// That is no verdict, neither of its health nor of its breaker.
    pub fn shed(&self, peer: PeerIndex, cooldown: Duration, now: Time) {
        if let Some(slot) = self.slot(peer) {
            slot.cool(now + cooldown);
        }
    }

    /// The peer cut a response body short after its head: a failure of an attempt that was
    /// settled already. Counts only while the breaker is closed.
    pub fn aborted(&self, peer: PeerIndex, now: Time, entropy: u64) {
        if let Some(slot) = self.slot(peer) {
            let epoch = slot.epoch.load(Ordering::Acquire);
            let ticket = Ticket { epoch, probe: None };
            self.settled(peer, ticket, Verdict::Fail, now, entropy);
        }
    }

    /// Takes the verdict of an attempt.
    pub(super) fn settled(
        &self,
        peer: PeerIndex,
        ticket: Ticket,
        verdict: Verdict,
        now: Time,
        entropy: u64,
    ) {
        let Some(slot) = self.slot(peer) else {
            return;
        };
        if let Verdict::Overload { cooldown } = verdict {
            slot.cool(now + cooldown);
        }
        let Some(policy) = &self.policy.breaker else {
            return;
        };
        if ticket.probe.is_some() {
            let mut ledger = self.lock();
            let Some(entry) = ledger.peers.get_mut(usize::from(peer.0)) else {
                return;
            };
            let transition = entry.breaker.settle(ticket, verdict, policy, now, entropy);
            if let Some(transition) = transition {
                self.transition(&mut ledger, peer, transition, now);
            }
            self.publish(&mut ledger, now, entropy);
            return;
        }
        // A ticket of a state that has passed says nothing about this one.
        if slot.epoch.load(Ordering::Acquire) != ticket.epoch {
            return;
        }
        if let Some(why) = slot.tally.record(verdict, policy, now) {
            self.trip(peer, ticket, why, now, entropy);
        }
    }

    fn trip(&self, peer: PeerIndex, ticket: Ticket, why: Trip, now: Time, entropy: u64) {
        let mut ledger = self.lock();
        if why == Trip::Rate && !self.spares(peer) {
            return;
        }
        let (Some(policy), Some(entry)) = (
            &self.policy.breaker,
            ledger.peers.get_mut(usize::from(peer.0)),
        ) else {
            return;
        };
        if let Some(transition) = entry.breaker.trip(why, ticket.epoch, policy, now, entropy) {
            self.transition(&mut ledger, peer, transition, now);
            self.publish(&mut ledger, now, entropy);
        }
    }

    /// Whether the peer's tier can do without it: a rate is weak evidence, so it never takes out
    /// more than half of a tier, counting those that are out already.
    fn spares(&self, peer: PeerIndex) -> bool {
        let tier = self.tier_of.get(usize::from(peer.0));
        let Some(tier) = tier.and_then(|tier| self.tiers.get(*tier)) else {
            return false;
        };
        let out = |peer: &&u16| {
            let slot = self.slots.get(usize::from(**peer));
            slot.is_some_and(|slot| slot.flags.load(Ordering::Acquire) & super::slot::BREAKER != 0)
        };
        let out = tier.members.iter().filter(out).count();
        (out + 1) * 2 <= tier.members.len()
    }
}
