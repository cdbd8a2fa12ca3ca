//! Tiers in use.

use super::*;

#[test]
fn a_worse_tier_serves_only_while_no_better_one_can() {
    let mut world = World::new(&[1, 1, 2, 3]);
    assert_eq!(world.serve(4), "abab");
    world.down(0);
    assert_eq!(world.serve(2), "bb");
    world.break_(1);
    assert_eq!(world.serve(2), "cc");
    world.down(2);
    assert_eq!(world.serve(2), "dd");
    let tiers: Vec<Change> = world
        .changes()
        .into_iter()
        .filter(|change| matches!(change, Change::TierChanged { .. }))
        .collect();
    let expected = [
        Change::TierChanged { from: 1, to: 2 },
        Change::TierChanged { from: 2, to: 3 },
    ];
    assert_eq!(tiers, expected);
    let view = world.group.view(world.now);
    assert_eq!(view.active, 3);
    assert_eq!(view.last_failover, Some(world.now));
}

#[test]
fn a_tier_needs_its_minimum_but_never_more_than_it_has() {
    // (minimum, peers of tier 1 that are down, who serves)
    let rows = [
        (1, "", "ab"),
        (1, "a", "b"),
        (2, "", "ab"),
        (2, "a", "c"),
        (3, "", "ab"),
        (3, "a", "c"),
        (3, "ab", "c"),
    ];
    for (minimum, down, expected) in rows {
        let mut world = World::with(&[1, 1, 2], |policy| policy.min_healthy = minimum);
        for peer in down.bytes() {
            world.down(u16::from(peer - b'a'));
        }
        let served = world.serve(20);
        assert!(
            served.chars().all(|peer| expected.contains(peer)),
            "{served}"
        );
    }
}

#[test]
fn traffic_returns_after_the_hold_down_and_bit_by_bit() {
    let mut world = World::new(&[1, 2]);
    world.down(0);
    world.wait(5_000);
    world.up(0);
    world.wait(29_999);
    assert_eq!(world.serve(20), "b".repeat(20));
    world.wait(1);
    assert_eq!(world.group.view(world.now).active, 1);
    // (milliseconds after the return, requests of 1000 at the better tier)
    let mut passed = 0;
    for (millis, least, most) in [(10_000, 330, 470), (20_000, 630, 770), (29_999, 960, 1_000)] {
        world.wait(millis - passed);
        passed = millis;
        let back = world.serve(1_000).matches('a').count();
        assert!((least..=most).contains(&back), "{millis} ms: {back}");
    }
    world.wait(1);
    assert_eq!(world.serve(50), "a".repeat(50));
}

#[test]
fn the_return_begins_with_a_tenth() {
    let mut world = World::with(&[1, 2], |policy| {
        // So that the peer's own slow start is over.
        policy.failback.hold = Duration::from_secs(20);
    });
    world.down(0);
    world.up(0);
    world.wait(24_001);
    assert_eq!(world.group.view(world.now).active, 1);
    let back = world.serve(1_000).matches('a').count();
    assert!((60..=145).contains(&back), "{back}");
}

#[test]
fn without_a_ramp_all_traffic_returns_at_once() {
    let mut world = World::with(&[1, 2], |policy| policy.failback.ramp = Duration::ZERO);
    world.down(0);
    world.up(0);
    world.wait(36_001);
    assert_eq!(world.serve(50), "a".repeat(50));
}

#[test]
fn a_tier_that_fails_while_traffic_returns_is_left_at_once() {
    let mut world = World::new(&[1, 2]);
    world.down(0);
    world.up(0);
    world.wait(36_001);
    assert_eq!(world.group.view(world.now).active, 1);
    world.wait(5_000);
    world.down(0);
    assert_eq!(world.serve(20), "b".repeat(20));
    world.up(0);
    world.wait(40_000);
    assert_eq!(world.group.view(world.now).active, 2);
    world.wait(33_000);
    assert_eq!(world.group.view(world.now).active, 1);
}

#[test]
fn traffic_returning_to_a_better_tier_still_serves_when_the_old_one_is_gone() {
    let mut world = World::new(&[1, 2]);
    world.down(0);
    world.up(0);
    world.wait(36_001);
    assert_eq!(world.group.view(world.now).active, 1);
    world.down(1);
    assert_eq!(world.serve(20), "a".repeat(20));
}

#[test]
fn a_return_needs_no_request_only_somebody_who_looks() {
    let mut world = World::new(&[1, 2]);
    world.down(0);
    world.up(0);
    world.wait(36_001);
    let _ = world.changes();
    world.check(1, Probed::Passed);
    assert_eq!(world.changes(), [Change::TierChanged { from: 2, to: 1 }]);
}
