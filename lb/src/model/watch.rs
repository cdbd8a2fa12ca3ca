//! Whether what a group tells of, and what it shows, may be.

use std::time::Duration;

use super::Op;
use super::account::{Phase, is_available};
use super::world::World;
use crate::health::Probed;
use crate::{BreakerView, Change, FailbackMode, HealthView, PeerIndex, Time, Verdict};

impl World {
    /// Takes what the group says happened, and checks that it may have.
    pub(super) fn absorb(&mut self, op: Op) {
        for change in self.group.take_changes() {
            match change {
                Change::BreakerOpened { peer, until, .. } => self.opened(peer, until, op),
                Change::BreakerHalfOpened { peer } => {
                    let now = self.now;
                    self.on(peer, |known| {
                        let passed = matches!(known.breaker, Phase::Open(until) if until <= now);
                        let early = matches!(op, Op::Check(of, Probed::Passed) if of == peer);
                        assert!(passed || early, "half-open too early: {:?}", known.breaker);
                        known.breaker = Phase::HalfOpen;
                        known.spell += 1;
                        known.passed = 0;
                    });
                }
                Change::BreakerClosed { peer } => {
                    let success = matches!(
                        op,
                        Op::Settle(_, Verdict::Succeed) | Op::Check(_, Probed::Passed)
                    );
                    assert!(success, "closed by {op:?}");
                    let policy = self.group.policy().breaker.as_ref();
                    let needed = policy.map_or(0, |policy| policy.success_threshold);
                    self.on(peer, |known| {
                        assert!(known.passed >= needed, "closed too early");
                        assert_eq!(known.breaker, Phase::HalfOpen, "closed from there");
                        known.breaker = Phase::Closed;
                    });
                }
                Change::TierChanged { from, to } => self.moved(from, to, op),
                Change::AdminChanged { .. }
                | Change::BudgetExhausted
                | Change::Dropped(_)
                | Change::PanicEnded
                | Change::PanicStarted
                | Change::PeerHealthy { .. }
                | Change::PeerUnhealthy { .. } => {}
            }
        }
    }

    pub(super) fn opened(&mut self, peer: PeerIndex, until: Time, op: Op) {
        let known = self.known.get(usize::from(peer.0));
        let spell = known.and_then(|known| {
            let tried_out = known.breaker == Phase::HalfOpen;
            tried_out.then_some(known.spell)
        });
        let blame = match op {
            Op::Abort(of) => of == peer && spell.is_none(),
            // A probe of this spell while half-open, anything but a probe while closed.
            Op::Settle(_, verdict) => {
                !matches!(verdict, Verdict::Neutral | Verdict::Succeed)
                    && self.settled == Some((peer, spell))
            }
            // A lease that ran out.
            Op::Pick(_) => true,
            _ => false,
        };
        assert!(blame, "{op:?} opened a breaker");
        let (now, breaker) = (self.now, self.group.policy().breaker.clone());
        self.on(peer, |known| {
            let wait = until.since(now);
            let range = breaker.map(|policy| (policy.open_for, policy.max_open * 3 / 2));
            let fits = range.is_some_and(|(least, most)| least <= wait && wait <= most);
            assert!(fits, "open for {wait:?}");
            known.breaker = Phase::Open(until);
        });
    }

    /// A better tier is returned to after the hold-down, when told, or when there is no choice.
    pub(super) fn moved(&mut self, from: u32, to: u32, op: Op) {
        let policy = self.group.policy();
        self.tiers.note(&self.known, policy, self.now);
        assert!(
            is_available(&self.known, policy, to),
            "moved to a tier that is down"
        );
        let forced = matches!(op, Op::Failback) || !is_available(&self.known, policy, from);
        if to < from && !forced {
            assert_eq!(policy.failback.mode, FailbackMode::Auto, "returned untold");
            let held = self.tiers.held(to, policy.failback.hold, self.now);
            assert!(held, "returned before the hold-down was over");
        }
    }

    /// What the group shows agrees with the account.
    pub(super) fn compare(&mut self) {
        let view = self.group.view(self.now);
        // Looking may be what moves a tier whose time has come.
        self.absorb(Op::Wait(Duration::ZERO));
        let usable = self.known.iter().filter(|known| known.is_usable()).count();
        assert_eq!(usize::try_from(view.usable), Ok(usable), "usable peers");
        for (known, peer) in self.known.iter().zip(&view.peers) {
            assert_eq!(known.held, peer.in_flight, "{} in flight", peer.name);
            assert_eq!(known.admin, peer.admin, "{}", peer.name);
            let down = peer.health == HealthView::Unhealthy;
            assert_eq!(known.health.is_down(), down, "{}", peer.name);
            let breaker = match peer.breaker {
                BreakerView::Closed => Phase::Closed,
                BreakerView::HalfOpen => Phase::HalfOpen,
                BreakerView::Open { until } => Phase::Open(until),
            };
            assert_eq!(known.breaker, breaker, "{}", peer.name);
        }
    }
}
