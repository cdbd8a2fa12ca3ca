//! Whether what a pick came to may be.

use super::account::{Known, Phase};
use super::world::{LEASE, Out, World};
use crate::{Admin, NoPeer, PeerIndex, Pick, PickRequest};

impl World {
    pub(super) fn judge(&mut self, pick: Pick, request: &PickRequest<'_>) {
        let policy = self.group.policy().clone();
        let none_usable = !self.known.iter().any(Known::is_usable);
        let better = (0..).zip(&self.known).any(|(at, known)| {
            known.is_usable()
                && known.has_room(&policy)
                && known.cooling_until <= self.now
                && !request.tried.contains(PeerIndex(at))
        });
        let Some(known) = self.known.get_mut(usize::from(pick.peer().0)) else {
            unreachable!("a pick of no peer");
        };
        if let Some(pin) = request.pin {
            assert_eq!(pick.peer(), pin, "a pin was not kept");
            assert_ne!(known.admin, Admin::Disabled, "a disabled peer was picked");
        } else {
            assert_eq!(known.admin, Admin::Enabled, "a peer that is out was picked");
            assert_ne!(known.weight, 0, "a peer without weight was picked");
            let again = request.tried.contains(pick.peer());
            let cooling = known.cooling_until > self.now && !pick.is_probe();
            let worse = (again || cooling) && !request.retry_same;
            assert!(
                !(worse && better),
                "a tried or overloaded peer was picked before others"
            );
        }
        assert!(
            !pick.is_panic() || none_usable,
            "panic though a peer is usable"
        );
        assert!(
            !known.health.is_down() || pick.is_panic(),
            "a peer that is down was picked"
        );
        let spell = pick.is_probe().then_some(known.spell);
        if spell.is_none() {
            assert_eq!(known.breaker, Phase::Closed, "past an open breaker");
            assert!(known.has_room(&policy), "a full peer was picked");
        }
        known.held += 1;
        if let Some(spell) = spell {
            assert_eq!(known.breaker, Phase::HalfOpen, "a probe without need");
            let probes = probes(&self.out, pick.peer(), spell).count();
            let most = policy.breaker.map_or(0, |breaker| breaker.half_open_probes);
            assert!(
                u32::try_from(probes).is_ok_and(|probes| probes < most),
                "too many probes"
            );
        }
        self.out.push(Out {
            pick,
            spell,
            settled: false,
            expires: self.now + LEASE,
        });
    }

    pub(super) fn judge_none(&self, no_peer: NoPeer, request: &PickRequest<'_>) {
        let policy = self.group.policy();
        if let Some(pin) = request.pin {
            let known = self.known.get(usize::from(pin.0));
            let serves = known.is_some_and(|known| known.is_usable() && known.has_room(policy));
            assert!(!serves, "a pinned peer is usable, but {no_peer:?}");
            return;
        }
        let usable = || self.known.iter().filter(|known| known.is_usable());
        let room = usable().any(|known| known.has_room(policy));
        assert!(!room, "a peer is usable, but {no_peer:?}");
        let busy = usable().next().is_some();
        assert_eq!(busy, no_peer == NoPeer::Busy, "{no_peer:?}");
        for (peer, known) in (0..).map(PeerIndex).zip(&self.known) {
            let due = known.is_only_broken() && self.is_due(peer, known);
            assert!(!due, "a probe is due, but {no_peer:?}");
        }
        if let NoPeer::AllOpen {
            retry_after,
            probed,
        } = no_peer
        {
            assert!(!retry_after.is_zero(), "a wait of nothing");
            let blocked = self
                .known
                .iter()
                .any(|known| known.breaker != Phase::Closed);
            assert!(blocked, "no breaker is open, but {no_peer:?}");
            let tried_out =
                |known: &Known| known.is_only_broken() && known.breaker == Phase::HalfOpen;
            let tried_out = self.known.iter().any(tried_out);
            assert!(tried_out || !probed, "nobody is tried out, but {no_peer:?}");
        }
    }

    /// Whether the peer's breaker must let a request through now.
    pub(super) fn is_due(&self, peer: PeerIndex, known: &Known) -> bool {
        match known.breaker {
            Phase::Closed => false,
            Phase::Open(until) => until <= self.now,
            Phase::HalfOpen => {
                let policy = self.group.policy().breaker.as_ref();
                let most = policy.map_or(0, |policy| policy.half_open_probes);
                let mut probes = probes(&self.out, peer, known.spell);
                let expired = probes.clone().any(|out| out.expires <= self.now);
                let free = probes.nth(usize::try_from(most).unwrap_or(0) - 1).is_none();
                free && !expired
            }
        }
    }
}

/// Probes of this spell that are out and unsettled.
fn probes(out: &[Out], peer: PeerIndex, spell: u32) -> impl Iterator<Item = &Out> + Clone {
    out.iter()
        .filter(move |out| out.pick.peer() == peer && out.spell == Some(spell) && !out.settled)
}
