//! The plain account: what follows from the operations, without a lock or an atomic.

use std::collections::VecDeque;
use std::time::Duration;

use crate::health::{HealthPolicy, Probed};
use crate::{Admin, GroupPolicy, Peer, Time};

/// What is known of one peer.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) priority: u32,
    pub(super) weight: u16,
    pub(super) admin: Admin,
    pub(super) health: Checked,
    pub(super) breaker: Phase,
    /// Counts the times the breaker became half-open.
    pub(super) spell: u32,
    /// Probes and checks that passed in this spell.
    pub(super) passed: u32,
    pub(super) cooling_until: Time,
    pub(super) held: u32,
}

/// A breaker, as the changes told of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    Closed,
    HalfOpen,
    Open(Time),
}

/// All results of checks since the verdict last changed.
#[derive(Clone, Debug, Default)]
pub(super) struct Checked {
    down: bool,
    seen: Vec<Probed>,
}

impl Checked {
    pub(super) fn is_down(&self) -> bool {
        self.down
    }

    pub(super) fn result(&mut self, probed: Probed, policy: HealthPolicy, first: bool) {
        self.seen.push(probed);
        let (against, needed) = if self.down {
            (Probed::Passed, policy.healthy_threshold)
        } else {
            (Probed::Failed, policy.unhealthy_threshold)
        };
        let row = self.seen.iter().rev().take_while(|one| **one == against);
        let needed = if first { 1 } else { needed };
        if row.count() >= usize::try_from(needed).unwrap_or(usize::MAX) {
            self.down = !self.down;
            self.seen.clear();
        }
    }
}

impl Known {
    pub(super) fn new(peer: &Peer) -> Self {
        Self {
            priority: peer.priority,
            weight: peer.weight,
            admin: Admin::Enabled,
            health: Checked::default(),
            breaker: Phase::Closed,
            spell: 0,
            passed: 0,
            cooling_until: Time::ZERO,
            held: 0,
        }
    }

    pub(super) fn is_usable(&self) -> bool {
        self.admin == Admin::Enabled
            && self.weight > 0
            && !self.health.is_down()
            && self.breaker == Phase::Closed
    }

    /// Whether nothing but its breaker keeps requests off.
    pub(super) fn is_only_broken(&self) -> bool {
        self.admin == Admin::Enabled && self.weight > 0 && !self.health.is_down()
    }

    pub(super) fn has_room(&self, policy: &GroupPolicy) -> bool {
        policy.max_in_flight == 0 || self.held < policy.max_in_flight
    }
}

/// What a group may spend on retries.
#[derive(Debug, Default)]
pub(super) struct Spending {
    /// Second, and thousandths of a token that were earned or charged in it.
    rows: VecDeque<(u64, u64, u64)>,
    /// Charged and not refunded.
    pub(super) open: u32,
}

impl Spending {
    pub(super) fn earn(&mut self, now: Time, thousandths: u64) {
        self.rows.push_back((second(now), thousandths, 0));
    }

    pub(super) fn charge(&mut self, now: Time) {
        self.rows.push_back((second(now), 0, 1_000));
        self.open += 1;
    }

    /// Charged retries of the ten seconds up to a charge never exceed what those seconds earned,
    /// and the reserve.
    pub(super) fn check(&self, policy: &GroupPolicy, peers: usize, now: Time) {
        let oldest = second(now).saturating_sub(9);
        let recent = self.rows.iter().filter(|row| row.0 >= oldest);
        let (earned, charged) = recent.fold((0, 0), |(earned, charged), row| {
            (earned + row.1, charged + row.2)
        });
        let budget = &policy.retry.budget;
        let peers = u64::try_from(peers).unwrap_or(u64::MAX);
        let reserve = u64::from(budget.reserve).max(3 * peers);
        let most = earned + (reserve + 10 * u64::from(budget.per_second)) * 1_000;
        assert!(
            charged <= most,
            "the budget was overdrawn: {charged} of {most}"
        );
    }
}

fn second(now: Time) -> u64 {
    now.since(Time::ZERO).as_secs()
}

/// Since when each tier has been available; by priority.
#[derive(Debug, Default)]
pub(super) struct Tiers(Vec<(u32, Option<Time>)>);

impl Tiers {
    pub(super) fn new(known: &[Known]) -> Self {
        let mut priorities: Vec<u32> = known.iter().map(|peer| peer.priority).collect();
        priorities.sort_unstable();
        priorities.dedup();
        let start = |priority| (priority, Some(Time::ZERO));
        Self(priorities.into_iter().map(start).collect())
    }

    pub(super) fn note(&mut self, known: &[Known], policy: &GroupPolicy, now: Time) {
        for (priority, since) in &mut self.0 {
            let up = is_available(known, policy, *priority);
            *since = up.then(|| since.unwrap_or(now));
        }
    }

    /// Whether the tier has been available for so long.
    pub(super) fn held(&self, priority: u32, hold: Duration, now: Time) -> bool {
        let tier = self.0.iter().find(|tier| tier.0 == priority);
        let since = tier.and_then(|tier| tier.1);
        since.is_some_and(|since| now.since(since) >= hold)
    }
}

pub(super) fn is_available(known: &[Known], policy: &GroupPolicy, priority: u32) -> bool {
    let members = known.iter().filter(|peer| peer.priority == priority);
    let size = u32::try_from(members.clone().count()).unwrap_or(u32::MAX);
    let usable = members.filter(|peer| peer.is_usable()).count();
    u32::try_from(usable).is_ok_and(|usable| usable >= policy.min_healthy.min(size))
}
