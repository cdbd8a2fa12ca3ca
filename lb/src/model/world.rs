//! A group, the picks that are out, and the account of both.

use std::sync::Arc;
use std::time::Duration;

use super::account::{Known, Spending, Tiers};
use super::bytes::Bytes;
use super::{Op, Wish};
use crate::hash::mix;
use crate::health::Probed;
use crate::{
    BreakerPolicy, Cause, Decision, FailbackMode, Failure, Group, GroupPolicy, Outcome, Peer,
    PeerIndex, Pick, PickRequest, Received, RetryFacts, Sent, Strategy, Time, Tried, Verdict,
    classify,
};

/// A group under test.
#[derive(Debug)]
pub(super) struct World {
    pub(super) group: Arc<Group>,
    pub(super) known: Vec<Known>,
    /// By peer: whether a check was ever seen.
    pub(super) checked: Vec<bool>,
    pub(super) tiers: Tiers,
    pub(super) spending: Spending,
    pub(super) out: Vec<Out>,
    /// What was settled last: whose, and of which spell when it was a probe.
    pub(super) settled: Option<(PeerIndex, Option<u32>)>,
    pub(super) now: Time,
    pub(super) draws: u64,
}

/// A pick that is out.
#[derive(Debug)]
pub(super) struct Out {
    pub(super) pick: Pick,
    /// When it is a probe: of which spell of its breaker.
    pub(super) spell: Option<u32>,
    pub(super) settled: bool,
    /// When a probe's lease ends.
    pub(super) expires: Time,
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

    pub(super) fn on(&mut self, peer: PeerIndex, change: impl FnOnce(&mut Known)) {
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
            serves: None,
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
        let was = (0..).map(PeerIndex).map(Some).take(peers.len()).collect();
        let Ok(group) = self.group.succeeded("model", peers, policy, was, &[]) else {
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
pub(super) const LEASE: Duration = Duration::from_secs(30);
const REGIONS: [Option<&str>; 4] = [None, Some("eu"), Some("us"), Some("asia")];
