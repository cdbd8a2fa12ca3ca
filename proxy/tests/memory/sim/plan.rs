//! What a seed decides beforehand: peers, policy, and what may happen.

use crate::support::{Plan, Rng};
use lb::{BreakerPolicy, Strategy};
use proxy::hooks::Target;
use proxy::memory::Passage;
use proxy::settings::{HealthCheck, HttpProbe, HttpVersion, Probe, Timeouts};
use std::cell::Cell;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

/// Who plays, and under which conditions.
#[derive(Clone, Debug)]
pub(super) struct Cast {
    pub(super) peers: usize,
    pub(super) clients: usize,
    /// In a hundred: how many clients speak HTTP/2.
    pub(super) modern: u64,
    pub(super) speaks: Speaks,
    /// The network itself is well.
    pub(super) calm: bool,
    /// Peers are known by name, and answers are good for so long.
    pub(super) named: bool,
    pub(super) ttl: Duration,
    /// How all bytes pass when nothing is wrong.
    pub(super) passage: Passage,
    /// The peer that nothing happens to, before a policy with which no request may fail that can be
    /// repeated.
    pub(super) rock: Option<usize>,
    /// Requests that an HTTP/2 peer takes at once on a connection.
    pub(super) streams: u32,
    /// Between two bursts of requests.
    pub(super) idle: Duration,
    /// The longest a request may take.
    pub(super) total: Duration,
    /// The longest body that is kept for another attempt.
    pub(super) replay: usize,
    /// Peers of HTTP/1.1 close connections that were idle for so long.
    pub(super) keep_alive: Option<Duration>,
    pub(super) connections: Rc<Cell<u64>>,
}

impl Cast {
    /// Addresses at which peers listen for requests.
    pub(super) fn listeners(&self) -> usize {
        self.peers * if self.named { 2 } else { 1 }
    }
}

/// What peers speak.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Speaks {
    Http1,
    Http2,
}

/// Peers, policy and conditions of a seed.
pub(super) fn plan(seed: u64, rng: &mut Rng) -> (Plan, Cast) {
    let mut plan = Plan::new(u8::try_from(rng.between(2, 5)).unwrap());
    plan.seed = seed;
    plan.fragments = rng.chance(30);
    plan.limits.replay_body = rng.of(&[4, 8, 16]) * 1024;
    plan.limits.replay_total = plan.limits.replay_body * 4;
    plan.limits.http2.ping = rng.of(&[1, 5, 20]) * Duration::from_secs(1);
    plan.limits.body_idle = rng.of(&[1, 5, 30]) * Duration::from_secs(1);
    plan.wish.target = Some(Box::new(|session, target: Target| {
        target.hashed(session.request.uri.path().as_bytes())
    }));
    let mut cast = cast(&plan, rng);
    let group = &mut plan.group;
    if cast.speaks == Speaks::Http2 {
        group.http_version = HttpVersion::Http2;
    }
    for (number, settings) in group.peers.iter_mut().enumerate() {
        settings.url.port = PORT;
        if cast.named {
            settings.url.host = name(number);
        }
    }
    policy(&mut plan, &mut cast, rng);
    if cast.rock.is_some() {
        let retry = &mut plan.group.policy.retry;
        retry.attempts = u32::try_from(cast.peers).unwrap() + 1;
        retry.hard_cap = retry.attempts + 4;
        retry.per_try = Some(rng.millis(400, 800));
        retry.window = Duration::from_secs(10);
        retry.budget.percent = 100;
        retry.budget.reserve = 1000;
        retry.when = lb::RetryOn::default();
        plan.group.policy.max_in_flight = 0;
        plan.limits.replay_total = 1 << 20;
        cast.total = Duration::from_secs(15);
        plan.group.timeouts.total = Some(cast.total);
    }
    (plan, cast)
}

fn cast(plan: &Plan, rng: &mut Rng) -> Cast {
    let peers = plan.group.peers.len();
    let calm = rng.chance(30);
    Cast {
        peers,
        clients: usize::try_from(rng.between(4, 12)).unwrap(),
        modern: rng.of(&[0, 30, 50, 100]),
        speaks: rng.of(&[Speaks::Http1, Speaks::Http2]),
        calm,
        named: rng.chance(30),
        ttl: rng.millis(500, 5000),
        passage: Passage {
            latency: if calm {
                Duration::ZERO
            } else {
                rng.millis(0, 20)
            },
            jitter: if calm {
                Duration::ZERO
            } else {
                rng.millis(0, 5)
            },
            bytes_per_second: None,
        },
        rock: rng.chance(40).then(|| rng.below(peers)),
        streams: rng.of(&[1, 2, 5, 100, 100]),
        idle: idle(rng),
        total: rng.millis(6000, 12_000),
        replay: plan.limits.replay_body,
        keep_alive: rng.chance(40).then(|| rng.millis(2000, 10_000)),
        connections: Rc::default(),
    }
}

fn idle(rng: &mut Rng) -> Duration {
    match rng.below(100) {
        0 => Duration::from_secs(3600) * u32::try_from(rng.between(10, 30)).unwrap(),
        1..=9 => Duration::from_secs(60) * u32::try_from(rng.between(1, 90)).unwrap(),
        10..=49 => rng.millis(500, 100_000),
        _ => Duration::ZERO,
    }
}

fn policy(plan: &mut Plan, cast: &mut Cast, rng: &mut Rng) {
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
    group.health_check = health_check(cast, rng);
    group.timeouts = Timeouts {
        connect: rng.millis(200, 1000),
        first_byte: Some(rng.millis(1000, 3000)),
        first_byte_for_tools: false,
        idle: Some(rng.millis(800, 2000)),
        total: Some(cast.total),
        ..Timeouts::default()
    };
    group.pool_idle = rng.millis(500, 20_000);
    if rng.chance(20) {
        // Longer than any idle time: connections die in the pool.
        group.pool_idle = Duration::from_secs(1_000_000);
    }
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

fn health_check(cast: &Cast, rng: &mut Rng) -> HealthCheck {
    let probe = match (rng.below(3), cast.speaks) {
        (0, _) => Probe::None,
        // Probes speak HTTP/1.1.
        (1, _) | (_, Speaks::Http2) => Probe::Tcp,
        _ => Probe::Http(HttpProbe {
            path: "/health".to_owned(),
            ..HttpProbe::default()
        }),
    };
    // So many probes as there are seconds in a day would be all that a seed does.
    let rarely = 1 + u32::try_from(cast.idle.as_secs() / 200).unwrap();
    HealthCheck {
        probe: Some(probe),
        interval: rng.millis(500, 2000) * rarely.min(20),
        timeout: rng.millis(200, 800),
        fast_interval: rng.millis(200, 500),
    }
}

/// The name of a peer.
pub(super) fn name(peer: usize) -> String {
    format!("peer-{peer}")
}

/// Where a peer is when it has moved.
pub(super) fn second_home(peer: usize) -> IpAddr {
    IpAddr::from([10, 0, 2, u8::try_from(peer + 1).unwrap()])
}

/// Where peers listen.
pub(super) const PORT: u16 = 82;
