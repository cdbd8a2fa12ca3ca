//! The order of the search: tried peers, regions, and what a group may be made of.

use super::*;
use crate::{Backoff, BreakerPolicy, GroupError, RetryPolicy};

#[test]
fn a_tried_peer_is_avoided_while_there_are_others_in_any_tier() {
    let mut world = World::new(&[1, 1, 2]);
    for (avoid, expected) in [
        (&[0][..], "b"),
        (&[1], "a"),
        (&[0, 1], "c"),
        (&[0, 1, 2], "ab"),
    ] {
        let avoid = tried(avoid);
        let request = PickRequest {
            tried: &avoid,
            ..PickRequest::default()
        };
        for _ in 0..10 {
            let peer = letter(world.ask(&request).unwrap().peer());
            assert!(expected.contains(peer), "{peer} for {avoid:?}");
        }
    }
}

#[test]
fn a_retry_of_the_same_peer_goes_there() {
    let mut world = World::new(&[1, 1, 1]);
    let avoid = tried(&[0, 2, 1]);
    let request = PickRequest {
        tried: &avoid,
        retry_same: true,
        ..PickRequest::default()
    };
    for _ in 0..5 {
        assert_eq!(world.ask(&request).unwrap().peer(), B);
    }
    world.break_(1);
    assert_ne!(world.ask(&request).unwrap().peer(), B);
}

#[test]
fn a_weightless_peer_gets_nothing_new() {
    let mut list = peers(&[1, 1]);
    list[0].weight = 0;
    let mut world = World::of(list, GroupPolicy::default());
    assert_eq!(world.serve(5), "bbbbb");
    world.down(1);
    assert_eq!(world.group.view(world.now).usable, 0);
}

/// Peers a to d: eu, us, asia, nowhere, all of one tier; e: eu, of the second.
fn regional(local: Option<&str>, fallback: &[&str]) -> World {
    let mut list = peers(&[1, 1, 1, 1, 2]);
    for (peer, region) in list.iter_mut().zip(["eu", "us", "asia", "", "eu"]) {
        peer.region = (!region.is_empty()).then(|| region.to_owned());
    }
    let policy = GroupPolicy {
        local_region: local.map(str::to_owned),
        region_fallback: fallback.iter().map(|region| (*region).to_owned()).collect(),
        ..GroupPolicy::default()
    };
    World::of(list, policy)
}

#[test]
fn regions_are_an_order_inside_the_tier() {
    // (local, fallback, wanted, peers that are down, who may serve)
    let rows = [
        (None, &[][..], None, "", "abcd"),
        (Some("eu"), &[], None, "", "a"),
        (Some("eu"), &[], Some("us"), "", "b"),
        (Some("eu"), &[], Some("mars"), "", "a"),
        (Some("mars"), &[], None, "", "abcd"),
        (Some("eu"), &["us"], None, "a", "b"),
        (Some("eu"), &["us", "asia"], None, "ab", "c"),
        (Some("eu"), &["us"], None, "ab", "cd"),
        (Some("eu"), &["mars", "us"], None, "a", "b"),
        (Some("eu"), &["us"], Some("asia"), "c", "b"),
        // The tier goes before the region.
        (Some("eu"), &[], None, "a", "bcd"),
        (Some("eu"), &[], None, "abcd", "e"),
        (None, &["us"], None, "", "b"),
    ];
    for (row, (local, fallback, region, down, expected)) in rows.into_iter().enumerate() {
        let mut world = regional(local, fallback);
        for peer in down.chars() {
            world.down(u16::try_from(u32::from(peer) - u32::from('a')).unwrap());
        }
        let request = PickRequest {
            region,
            ..PickRequest::default()
        };
        let mut seen = Vec::new();
        for _ in 0..200 {
            let peer = letter(world.ask(&request).unwrap().peer());
            assert!(expected.contains(peer), "row {row}: {peer}");
            if !seen.contains(&peer) {
                seen.push(peer);
            }
        }
        assert_eq!(seen.len(), expected.len(), "row {row}: {seen:?}");
    }
}

#[test]
fn a_full_local_region_overflows_to_the_next() {
    let mut list = peers(&[1, 1]);
    list[0].region = Some("eu".to_owned());
    let policy = GroupPolicy {
        local_region: Some("eu".to_owned()),
        max_in_flight: 1,
        ..GroupPolicy::default()
    };
    let mut world = World::of(list, policy);
    let first = world.pick().unwrap();
    let second = world.pick().unwrap();
    assert_eq!((first.peer(), second.peer()), (A, B));
}

#[test]
fn a_group_must_have_peers_with_names_of_their_own() {
    let policy = GroupPolicy::default;
    let error = |peers| Group::new("g", peers, policy()).unwrap_err();
    assert_eq!(error(Vec::new()), GroupError::Empty);
    let twice = vec![Peer::new("x"), Peer::new("y"), Peer::new("x")];
    assert_eq!(error(twice), GroupError::DuplicateName("x".to_owned()));
    let many = (0..65_536).map(|at| Peer::new(at.to_string())).collect();
    assert_eq!(error(many), GroupError::TooMany(65_536));
    let most = (0..65_535).map(|at| Peer::new(at.to_string())).collect();
    assert!(Group::new("g", most, policy()).is_ok());
}

#[test]
fn numbers_out_of_range_are_named() {
    type Break = fn(&mut GroupPolicy);
    fn breaker(policy: &mut GroupPolicy) -> &mut BreakerPolicy {
        policy.breaker.get_or_insert_with(BreakerPolicy::default)
    }
    fn retry(policy: &mut GroupPolicy) -> &mut RetryPolicy {
        &mut policy.retry
    }
    fn backoff(policy: &mut GroupPolicy) -> &mut Backoff {
        &mut policy.retry.backoff
    }
    let rows: [(&str, Break); 19] = [
        ("min_healthy", |policy| {
            policy.min_healthy = 0;
        }),
        ("bounded_load", |policy| {
            policy.bounded_load = Some(99);
        }),
        ("health.unhealthy_threshold", |policy| {
            policy.health.unhealthy_threshold = 0;
        }),
        ("health.healthy_threshold", |policy| {
            policy.health.healthy_threshold = 0;
        }),
        ("retry.attempts", |policy| {
            retry(policy).attempts = 0;
        }),
        ("retry.hard_cap", |policy| {
            retry(policy).hard_cap = 2;
        }),
        ("retry.budget.percent", |policy| {
            retry(policy).budget.percent = 1_001;
        }),
        ("retry.backoff.multiplier", |policy| {
            backoff(policy).multiplier = 0.5;
        }),
        ("retry.backoff.multiplier", |policy| {
            backoff(policy).multiplier = f64::NAN;
        }),
        ("retry.backoff.multiplier", |policy| {
            backoff(policy).multiplier = f64::INFINITY;
        }),
        ("breaker.failure_threshold", |policy| {
            breaker(policy).failure_threshold = 0;
        }),
        ("breaker.connect_failure_threshold", |policy| {
            breaker(policy).connect_failure_threshold = 0;
        }),
        ("breaker.failure_rate_percent", |policy| {
            breaker(policy).failure_rate_percent = 0;
        }),
        ("breaker.failure_rate_percent", |policy| {
            breaker(policy).failure_rate_percent = 101;
        }),
        ("breaker.half_open_probes", |policy| {
            breaker(policy).half_open_probes = 0;
        }),
        ("breaker.success_threshold", |policy| {
            breaker(policy).success_threshold = 0;
        }),
        ("breaker.window", |policy| {
            breaker(policy).window = Duration::ZERO;
        }),
        ("breaker.open_for", |policy| {
            breaker(policy).open_for = Duration::ZERO;
        }),
        ("breaker.probe_lease", |policy| {
            breaker(policy).probe_lease = Duration::ZERO;
        }),
    ];
    for (field, change) in rows {
        let mut policy = GroupPolicy::default();
        change(&mut policy);
        let got = Group::new("g", peers(&[1]), policy).unwrap_err();
        assert_eq!(got, GroupError::OutOfRange(field));
    }
    let edge = |policy: &mut GroupPolicy| {
        policy.bounded_load = Some(100);
        policy.retry.hard_cap = policy.retry.attempts;
        policy.retry.budget.percent = 1_000;
        policy.retry.backoff.multiplier = 1.0;
        breaker(policy).failure_rate_percent = 100;
    };
    let mut policy = GroupPolicy::default();
    edge(&mut policy);
    assert!(Group::new("g", peers(&[1]), policy).is_ok());
}

#[test]
fn errors_say_what_is_wrong() {
    let rows = [
        (
            GroupError::Empty.to_string(),
            "a group needs at least one peer",
        ),
        (
            GroupError::DuplicateName("x".to_owned()).to_string(),
            "two peers are named \"x\"",
        ),
        (
            GroupError::OutOfRange("retry.attempts").to_string(),
            "retry.attempts is out of range",
        ),
        (NoPeer::Busy.to_string(), "all usable peers are full"),
        (
            NoPeer::PinLost(B, PinLoss::Open).to_string(),
            "peer 1 of this session is behind an open breaker",
        ),
    ];
    for (got, expected) in rows {
        assert_eq!(got, expected);
    }
}

#[test]
fn what_a_peer_has_in_flight_is_counted() {
    let mut world = World::new(&[1]);
    let held = [world.pick().unwrap(), world.pick().unwrap()];
    assert_eq!(world.group.in_flight(A), 2);
    drop(held);
    assert_eq!(world.group.in_flight(A), 0);
}
