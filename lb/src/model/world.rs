//! A group, the picks that are out, and the account of both.

use std::sync::Arc;
use std::time::Duration;

use super::account::{Known, Phase, Spending, Tiers, is_available};
use super::bytes::Bytes;
use super::{Op, Wish};
use crate::hash::mix;
use crate::health::Probed;
use crate::{
    Admin, BreakerPolicy, BreakerView, Cause, Change, Decision, FailbackMode, Failure, Group,
    GroupPolicy, HealthView, NoPeer, Outcome, Peer, PeerIndex, Pick, PickRequest, Received,
    RetryFacts, Sent, Strategy, Time, Tried, Verdict, classify,
};

/// A group under test.
#[derive(Debug)]
pub(super) struct World {
    group: Arc<Group>,
    known: Vec<Known>,
    /// By peer: whether a check was ever seen.
    checked: Vec<bool>,
    tiers: Tiers,
    spending: Spending,
    out: Vec<Out>,
    /// What was settled last: whose, and of which spell when it was a probe.
    settled: Option<(PeerIndex, Option<u32>)>,
    now: Time,
    draws: u64,
}

/// A pick that is out.
#[derive(Debug)]
struct Out {
    pick: Pick,
    /// When it is a probe: of which spell of its breaker.
    spell: Option<u32>,
    settled: bool,
    /// When a probe's lease ends.
    expires: Time,
}

impl World {
    pub(super) fn new(bytes: &mut Bytes<'_>) -> Option<Self> {
        let (count, kind, detail) = (bytes.byte()?, bytes.byte()?, bytes.byte()?);
        let mut peers = Vec::new();
        for at in 0..=count % 6 {
            let byte = bytes.byte()?;
            peers.push(Peer {
                name: format!("peer-{at}"),
                priority: u32::from(byte & 3).max(1),
                weight: u16::from(byte >> 2 & 3),
                region: REGIONS[usize::from(byte >> 4) % 4].map(str::to_owned),
            });
        }
        let group = Group::new("model", peers, policy(kind, detail)).ok()?;
        let known: Vec<Known> = group.peers().iter().map(Known::new).collect();
        Some(Self {
            tiers: Tiers::new(&known),
            checked: vec![false; known.len()],
            known,
            group,
            spending: Spending::default(),
            out: Vec::new(),
            settled: None,
            now: Time::from_secs(1),
            draws: 0,
        })
    }

    pub(super) fn peers(&self) -> u16 {
        u16::try_from(self.known.len()).unwrap_or(1)
    }

    pub(super) fn step(&mut self, op: Op) {
        match op {
            Op::Abort(peer) => self.group.aborted(peer, self.now, self.draws),
            Op::Administer(peer, state) => {
                self.group.set_admin(peer, state, self.now);
                self.on(peer, |known| known.admin = state);
            }
            Op::Arrive(count) => {
                let share = u64::from(self.group.policy().retry.budget.percent) * 10;
                for _ in 0..count {
                    self.group.arrived(self.now);
                    self.spending.earn(self.now, share);
                }
            }
            Op::Check(peer, probed) => self.check(peer, probed),
            Op::ClearPrimary => self.group.clear_primary(self.now),
            Op::Decide(arg) => self.decide(arg),
            Op::Drop(at) => self.drop_one(at),
            Op::Failback => self.group.failback(self.now),
            Op::ForcePrimary(peer) => self.group.force_primary(peer, self.now),
            Op::Pick(wish) => self.pick(wish),
            Op::Refund => {
                if self.spending.open > 0 {
                    self.spending.open -= 1;
                    self.group.refund();
                    self.spending.earn(self.now, 1_000);
                }
            }
            Op::Reload => self.reload(),
            Op::Settle(at, verdict) => self.settle(at, verdict),
            Op::Wait(wait) => self.now = self.now + wait,
        }
        self.absorb(op);
        self.tiers.note(&self.known, self.group.policy(), self.now);
        self.compare();
    }

    /// Whatever happened, nothing is left behind: no request in flight, no slot taken.
    pub(super) fn end(mut self) {
        self.out.clear();
        self.known.iter_mut().for_each(|known| known.held = 0);
        self.compare();
        self.now = self.now + Duration::from_secs(120);
        if self.known.iter().any(Known::is_only_broken) {
            // A lease may run out on the way, which opens its breaker again: then the next will do.
            let request = PickRequest {
                repeatable: true,
                ..PickRequest::default()
            };
            let mut tries = (0..4).map(|_| {
                self.now = self.now + Duration::from_secs(120);
                self.group.pick(&request, self.now, 1)
            });
            assert!(tries.any(|pick| pick.is_ok()), "the group does not recover");
        }
    }

    fn on(&mut self, peer: PeerIndex, change: impl FnOnce(&mut Known)) {
        if let Some(known) = self.known.get_mut(usize::from(peer.0)) {
            change(known);
        }
    }

    fn check(&mut self, peer: PeerIndex, probed: Probed) {
        self.draws += 1;
        self.group.probed(peer, probed, self.now, mix(self.draws));
        let policy = self.group.policy().health;
        let at = usize::from(peer.0);
        let first = self
            .checked
            .get_mut(at)
            .is_some_and(|seen| !std::mem::replace(seen, true));
        self.on(peer, |known| {
            known.health.result(probed, policy, first);
            known.passed += 1;
        });
    }

    fn pick(&mut self, wish: Wish) {
        let mut tried = Tried::new();
        for peer in (0..self.peers()).filter(|peer| wish.tried >> peer & 1 == 1) {
            tried.insert(PeerIndex(peer));
        }
        let request = PickRequest {
            hash: (wish.kind & 8 != 0).then(|| mix(u64::from(wish.entropy))),
            pin: wish.pin,
            region: REGIONS[usize::from(wish.kind) % 4],
            tried: &tried,
            repeatable: wish.kind & 16 != 0,
            retry_same: wish.entropy & 0x80 != 0,
        };
        self.draws += 1;
        let entropy = mix(self.draws ^ u64::from(wish.entropy) << 32);
        let result = self.group.pick(&request, self.now, entropy);
        // What the pick itself changed must be known before it is judged.
        self.absorb(Op::Pick(wish));
        match result {
            Ok(pick) => self.judge(pick, &request),
            Err(no_peer) => self.judge_none(no_peer, &request),
        }
    }

    fn judge(&mut self, pick: Pick, request: &PickRequest<'_>) {
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

    fn judge_none(&self, no_peer: NoPeer, request: &PickRequest<'_>) {
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
        if let NoPeer::AllOpen { retry_after } = no_peer {
            assert!(!retry_after.is_zero(), "a wait of nothing");
            let blocked = self
                .known
                .iter()
                .any(|known| known.breaker != Phase::Closed);
            assert!(blocked, "no breaker is open, but {no_peer:?}");
        }
    }

    /// Whether the peer's breaker must let a request through now.
    fn is_due(&self, peer: PeerIndex, known: &Known) -> bool {
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

    fn settle(&mut self, at: u8, verdict: Verdict) {
        let at = usize::from(at) % self.out.len().max(1);
        self.draws += 1;
        let Some(out) = self.out.get_mut(at) else {
            return;
        };
        let peer = out.pick.peer();
        let first = !std::mem::replace(&mut out.settled, true);
        let spell = out.spell;
        self.settled = Some((peer, spell));
        out.pick.settle(verdict, self.now, mix(self.draws));
        self.on(peer, |known| {
            let counts = first && verdict == Verdict::Succeed && spell == Some(known.spell);
            known.passed += u32::from(counts);
        });
        if let (true, Verdict::Overload { cooldown }) = (first, verdict) {
            let until = self.now + cooldown;
            self.on(peer, |known| {
                known.cooling_until = known.cooling_until.max(until);
            });
        }
    }

    fn drop_one(&mut self, at: u8) {
        if self.out.is_empty() {
            return;
        }
        let out = self.out.swap_remove(usize::from(at) % self.out.len());
        let peer = out.pick.peer();
        drop(out);
        self.on(peer, |known| known.held -= 1);
    }

    fn decide(&mut self, arg: u8) {
        // Often enough to empty a budget.
        (0..4).for_each(|_| self.decide_once(arg));
    }

    fn decide_once(&mut self, arg: u8) {
        let sent = if arg & 1 == 0 {
            Sent::Nothing
        } else {
            Sent::Full
        };
        let outcome = Outcome::Failed(Failure {
            cause: if arg & 2 == 0 {
                Cause::Reset
            } else {
                Cause::HeadTimeout
            },
            sent,
            received: Received::Nothing,
            reused: arg & 4 != 0,
        });
        let class = classify(&outcome);
        let facts = RetryFacts {
            outcome: &outcome,
            class: &class,
            safe: arg & 8 != 0,
            replayable: arg & 16 != 0,
            committed: arg & 32 != 0,
            attempts: u32::from(arg >> 6) + 1,
            free: 0,
            first_failure: self.now,
            remaining: None,
            other_peers: true,
        };
        let policy = self.group.policy();
        let Decision::Retry { charged, .. } = self.group.decide(&facts, self.now, 1) else {
            return;
        };
        assert!(!facts.committed, "an attempt after commit");
        assert!(facts.replayable, "an attempt without its body");
        assert!(
            facts.safe || sent == Sent::Nothing,
            "a request may run twice"
        );
        assert!(
            facts.attempts < policy.retry.hard_cap,
            "an attempt too many"
        );
        if charged {
            assert_eq!(sent, Sent::Full, "a charge for nothing");
            self.spending.charge(self.now);
            // Only now: earlier charges may outlive what they were earned by.
            self.spending.check(policy, self.known.len(), self.now);
        }
    }

    fn reload(&mut self) {
        let peers = self.group.peers().to_vec();
        let policy = self.group.policy().clone();
        let Ok(group) = Group::new("model", peers, policy) else {
            return;
        };
        group.inherit(&self.group, self.now);
        let old = self.group.view(self.now);
        let new = group.view(self.now);
        assert_eq!(
            (old.active, old.usable),
            (new.active, new.usable),
            "after a reload"
        );
        for (old, new) in old.peers.iter().zip(&new.peers) {
            assert_eq!(old.breaker, new.breaker, "a reload changed a breaker");
            assert_eq!(old.health, new.health, "a reload changed a health");
            assert_eq!(old.admin, new.admin, "a reload changed an operator's word");
            assert_eq!(old.losses, new.losses, "a reload changed the losses");
        }
        self.out.clear();
        self.known.iter_mut().for_each(|known| known.held = 0);
        // What the old group has still to say is known from its view.
        self.absorb(Op::Reload);
        self.group = group;
    }

    /// Takes what the group says happened, and checks that it may have.
    fn absorb(&mut self, op: Op) {
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

    fn opened(&mut self, peer: PeerIndex, until: Time, op: Op) {
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
    fn moved(&mut self, from: u32, to: u32, op: Op) {
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
    fn compare(&mut self) {
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

/// Probes of this spell that are out and unsettled.
fn probes(out: &[Out], peer: PeerIndex, spell: u32) -> impl Iterator<Item = &Out> + Clone {
    out.iter()
        .filter(move |out| out.pick.peer() == peer && out.spell == Some(spell) && !out.settled)
}

fn policy(kind: u8, detail: u8) -> GroupPolicy {
    let strategies = [
        Strategy::ConsistentHash,
        Strategy::LeastConnections,
        Strategy::PowerOfTwo,
        Strategy::Priority,
        Strategy::Random,
        Strategy::RoundRobin,
        Strategy::WeightedRoundRobin,
    ];
    let mut policy = GroupPolicy {
        strategy: strategies[usize::from(kind) % strategies.len()],
        max_in_flight: u32::from(kind >> 3 & 3) * 2,
        min_healthy: u32::from(detail & 1) + 1,
        bounded_load: (kind & 0x20 != 0).then_some(125),
        local_region: REGIONS[usize::from(kind >> 6)].map(str::to_owned),
        region_fallback: vec!["us".to_owned()],
        breaker: Some(BreakerPolicy {
            half_open_probes: u32::from(detail >> 1 & 1) + 1,
            success_threshold: u32::from(detail >> 2 & 1) + 1,
            ..BreakerPolicy::default()
        }),
        ..GroupPolicy::default()
    };
    if detail & 0x10 != 0 {
        policy.retry.budget.reserve = 0;
        policy.retry.budget.per_second = 0;
    }
    if detail & 0x08 != 0 {
        policy.failback.mode = FailbackMode::Manual;
    }
    if detail & 0xf0 == 0xf0 {
        policy.breaker = None;
    }
    policy
}

/// Of the default policy.
const LEASE: Duration = Duration::from_secs(30);
const REGIONS: [Option<&str>; 4] = [None, Some("eu"), Some("us"), Some("asia")];
