//! Which request tries out a peer whose breaker would let one through.

use super::*;

/// A world whose peer a waits for a probe.
fn due(priorities: &[u32]) -> World {
    let mut world = World::new(priorities);
    world.break_(0);
    world.wait(2_000);
    world
}

fn plain() -> PickRequest<'static> {
    PickRequest::default()
}

#[test]
fn one_request_at_a_time_probes() {
    let mut world = due(&[1, 1]);
    let probe = world.pick().unwrap();
    assert!(probe.is_probe());
    assert_eq!(probe.peer(), A);
    assert_eq!(world.serve(3), "bbb");
    drop(probe);
    assert!(world.pick().unwrap().is_probe());
}

#[test]
fn a_request_that_must_not_run_twice_leaves_the_probe_to_others_for_a_second() {
    let mut world = due(&[1, 1]);
    world.wait(999);
    assert_eq!(world.ask(&plain()).unwrap().peer(), B);
    world.wait(1);
    let probe = world.ask(&plain()).unwrap();
    assert!(probe.is_probe());
}

#[test]
fn such_a_request_probes_at_once_when_nobody_else_is_left() {
    let mut world = due(&[1]);
    assert!(world.ask(&plain()).unwrap().is_probe());
}

#[test]
fn others_are_told_whether_the_outcome_of_a_probe_is_near() {
    let mut world = due(&[1]);
    let _probe = world.pick().unwrap();
    let mut is_near = || match world.pick() {
        Err(NoPeer::AllOpen { probed, .. }) => {
            world.wait(1_000);
            probed
        }
        other => panic!("{other:?}"),
    };
    assert_eq!([is_near(), is_near(), is_near()], [true, true, false]);
}

#[test]
fn a_retry_probes_only_when_nobody_else_is_left() {
    let mut world = due(&[1, 1, 1]);
    let tried_one = tried(&[1]);
    let request = PickRequest {
        tried: &tried_one,
        repeatable: true,
        ..plain()
    };
    assert_eq!(world.ask(&request).unwrap().peer(), C);
    let tried_both = tried(&[1, 2]);
    let request = PickRequest {
        tried: &tried_both,
        ..request
    };
    let pick = world.ask(&request).unwrap();
    assert!(pick.is_probe());
}

#[test]
fn a_better_tier_is_probed_while_another_serves() {
    let mut world = due(&[1, 2]);
    assert_eq!(world.serve(3), "aab");
}

#[test]
fn a_worse_tier_is_not_probed_by_requests_but_by_checks() {
    let mut world = World::new(&[1, 2]);
    world.break_(1);
    world.wait(10_000);
    assert_eq!(world.serve(5), "aaaaa");
    assert!(matches!(world.peer(1).breaker, BreakerView::Open { .. }));
    world.check(1, Probed::Passed);
    assert_eq!(world.peer(1).breaker, BreakerView::HalfOpen);
    world.check(1, Probed::Passed);
    world.check(1, Probed::Passed);
    assert_eq!(world.peer(1).breaker, BreakerView::Closed);
}

#[test]
fn checks_let_probes_through_early_but_close_nothing_in_the_tier_in_use() {
    let mut world = World::new(&[1, 1]);
    world.break_(0);
    for _ in 0..5 {
        world.check(0, Probed::Passed);
        assert_eq!(world.peer(0).breaker, BreakerView::HalfOpen);
    }
    assert_eq!(world.serve(2), "aa");
    assert_eq!(world.peer(0).breaker, BreakerView::Closed);
}

#[test]
fn a_check_of_a_peer_that_is_still_down_opens_no_way() {
    let mut world = World::new(&[1, 1]);
    world.break_(0);
    world.down(0);
    world.check(0, Probed::Passed);
    assert!(matches!(world.peer(0).breaker, BreakerView::Open { .. }));
    world.check(0, Probed::Passed);
    assert_eq!(world.peer(0).breaker, BreakerView::HalfOpen);
}

#[test]
fn peers_that_are_down_or_out_are_not_probed() {
    let mut world = due(&[1, 1]);
    world.down(0);
    assert_eq!(world.serve(2), "bb");
    world.up(0);
    world.group.set_admin(A, Admin::Disabled, world.now);
    assert_eq!(world.serve(2), "bb");
    world.group.set_admin(A, Admin::Draining, world.now);
    assert_eq!(world.serve(2), "bb");
    world.group.set_admin(A, Admin::Enabled, world.now);
    assert_eq!(world.serve(2), "aa");
}

#[test]
fn a_probe_dropped_without_a_verdict_frees_its_slot() {
    let mut world = due(&[1]);
    for _ in 0..3 {
        let probe = world.pick().unwrap();
        assert!(world.pick().is_err());
        drop(probe);
    }
    let mut probe = world.pick().unwrap();
    probe.settle(Verdict::Neutral, world.now, 0);
    // Settled, but its body is still under way: the slot is free.
    assert!(world.pick().unwrap().is_probe());
}

#[test]
fn a_request_with_a_key_probes_only_the_peer_that_owns_it() {
    let mut world = World::with(&[1, 1, 1], |policy| {
        policy.strategy = Strategy::ConsistentHash;
    });
    let keyed = |key| PickRequest {
        hash: Some(mix(key)),
        repeatable: true,
        ..plain()
    };
    let owners: Vec<PeerIndex> = (0..30)
        .map(|key| world.ask(&keyed(key)).unwrap().peer())
        .collect();
    world.break_(0);
    world.wait(2_000);
    for (key, owner) in (0..).zip(&owners) {
        let pick = world.ask(&keyed(key)).unwrap();
        assert_eq!(pick.is_probe(), *owner == A, "key {key}");
        assert_eq!(pick.peer(), *owner, "key {key}");
    }
}

#[test]
fn a_key_that_the_strategy_does_not_use_keeps_nobody_from_probing() {
    for hash in [None, Some(1), Some(u64::MAX)] {
        let mut world = due(&[1, 1, 1]);
        // Takes the turns of a and b, so that the next is not the broken peer's.
        assert_eq!(world.ask(&plain()).unwrap().peer(), B);
        let request = PickRequest {
            hash,
            repeatable: true,
            ..plain()
        };
        assert!(world.ask(&request).unwrap().is_probe(), "{hash:?}");
    }
}

#[test]
fn a_worse_tier_is_probed_once_nobody_else_is_left() {
    let mut world = World::new(&[1, 2]);
    world.break_(1);
    world.wait(60_000);
    world.break_(0);
    let probe = world.pick().unwrap();
    assert_eq!((probe.peer(), probe.tier()), (B, 2));
    assert!(probe.is_probe());
}
