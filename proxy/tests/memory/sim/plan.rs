//! What a seed decides beforehand: peers and policy.

use crate::support::{Plan, Rng};
use lb::{BreakerPolicy, Strategy};
use proxy::hooks::Target;
use proxy::settings::{HealthCheck, HttpProbe, Probe, Timeouts};
use std::time::Duration;

/// Peers and policy of a seed.
pub(super) fn plan(seed: u64, rng: &mut Rng) -> Plan {
    let mut plan = Plan::new(u8::try_from(rng.between(2, 5)).unwrap());
    plan.seed = seed;
    plan.fragments = rng.chance(30);
    let group = &mut plan.group;
    let tiers = rng.between(1, 2);
    for settings in &mut group.peers {
        settings.peer.priority = u32::try_from(rng.between(1, tiers)).unwrap();
        settings.peer.weight = u16::try_from(rng.between(1, 3)).unwrap();
    }
    group.policy.strategy = rng.of(&[
        Strategy::ConsistentHash,
        Strategy::LeastConnections,
        Strategy::PowerOfTwo,
        Strategy::Priority,
        Strategy::Random,
        Strategy::RoundRobin,
        Strategy::WeightedRoundRobin,
    ]);
    group.policy.max_in_flight = rng.of(&[0, 0, 0, 4]);
    group.policy.failback.hold = rng.millis(0, 3000);
    group.policy.failback.ramp = rng.millis(0, 2000);
    retry(&mut group.policy.retry, rng);
    group.policy.breaker = (!rng.chance(10)).then(|| breaker(rng));
    group.policy.health.unhealthy_threshold = rng.of(&[1, 2, 3]);
    group.policy.health.healthy_threshold = rng.of(&[1, 2]);
    group.health_check = health_check(rng);
    group.timeouts = Timeouts {
        connect: rng.millis(200, 1000),
        first_byte: Some(rng.millis(1000, 3000)),
        first_byte_for_tools: false,
        idle: Some(rng.millis(800, 2000)),
        total: Some(rng.millis(6000, 12_000)),
        ..Timeouts::default()
    };
    group.pool_idle = rng.millis(500, 20_000);
    plan.limits.replay_body = rng.of(&[4, 8, 16]) * 1024;
    plan.limits.replay_total = plan.limits.replay_body * 4;
    plan.wish.target = Some(Box::new(|session, target: Target| {
        target.hashed(session.request.uri.path().as_bytes())
    }));
    plan
}

fn retry(retry: &mut lb::RetryPolicy, rng: &mut Rng) {
    retry.attempts = rng.of(&[1, 2, 3, 3, 4]);
    retry.hard_cap = retry.attempts + rng.of(&[0, 1, 2]);
    retry.window = rng.millis(1000, 10_000);
    retry.per_try = rng.chance(50).then(|| rng.millis(200, 1000));
    retry.backoff.initial = rng.millis(1, 50);
    retry.budget.percent = rng.of(&[0, 20, 20, 50]);
    retry.budget.reserve = rng.of(&[1, 10, 20]);
    retry.budget.per_second = rng.of(&[0, 3]);
    retry.when.timeout = rng.chance(80);
    retry.when.reset = rng.chance(80);
    if rng.chance(30) {
        retry.when.statuses.clear();
    }
}

fn breaker(rng: &mut Rng) -> BreakerPolicy {
    BreakerPolicy {
        failure_threshold: rng.of(&[2, 3, 5]),
        connect_failure_threshold: rng.of(&[1, 2, 3]),
        min_requests: rng.of(&[5, 20]),
        open_for: rng.millis(200, 2000),
        max_open: Duration::from_secs(4),
        half_open_probes: rng.of(&[1, 1, 2]),
        success_threshold: rng.of(&[1, 2]),
        probe_lease: rng.millis(1000, 4000),
        slow_start: rng.millis(0, 2000),
        ..BreakerPolicy::default()
    }
}

fn health_check(rng: &mut Rng) -> HealthCheck {
    let probe = match rng.below(3) {
        0 => Probe::None,
        1 => Probe::Tcp,
        _ => Probe::Http(HttpProbe {
            path: "/health".to_owned(),
            ..HttpProbe::default()
        }),
    };
    HealthCheck {
        probe: Some(probe),
        interval: rng.millis(500, 2000),
        timeout: rng.millis(200, 800),
        fast_interval: rng.millis(200, 500),
    }
}
