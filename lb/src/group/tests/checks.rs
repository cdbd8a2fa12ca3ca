//! Health checks and panic.

use super::*;
use crate::HealthView;

#[test]
fn a_peer_that_is_down_gets_nothing() {
    let mut world = World::new(&[1, 1]);
    assert_eq!(world.peer(0).health, HealthView::Unchecked);
    world.check(0, Probed::Passed);
    assert_eq!(world.peer(0).health, HealthView::Healthy);
    world.down(0);
    assert_eq!(world.peer(0).health, HealthView::Unhealthy);
    assert_eq!(world.group.losses(A), 1);
    assert_eq!(world.serve(3), "bbb");
    world.up(0);
    let (peer, failures) = (A, 3);
    let expected = [
        Change::PeerUnhealthy { peer, failures },
        Change::PeerHealthy { peer },
    ];
    assert_eq!(world.changes(), expected);
    world.wait(10_000);
    assert_eq!(world.serve(10).matches('a').count(), 5);
}

#[test]
fn a_peer_that_is_up_again_ramps_up() {
    let mut world = World::new(&[1, 1]);
    world.down(0);
    world.up(0);
    let early = world.serve(400).matches('a').count();
    assert!((5..=60).contains(&early), "{early}");
}

#[test]
fn when_checks_keep_all_out_their_verdicts_are_ignored() {
    let mut world = World::new(&[1, 1, 2]);
    (0..3).for_each(|peer| world.down(peer));
    let _ = world.changes();
    let pick = world.pick().unwrap();
    assert!(pick.is_panic());
    assert_eq!(pick.tier(), 1);
    world.pick().unwrap();
    assert_eq!(world.changes(), [Change::PanicStarted]);
    assert!(world.group.view(world.now).panic);
    world.up(2);
    let pick = world.pick().unwrap();
    assert!(!pick.is_panic());
    assert_eq!(pick.peer(), C);
    let expected = [Change::PeerHealthy { peer: C }, Change::PanicEnded];
    assert_eq!(world.changes(), expected);
    assert!(!world.group.view(world.now).panic);
}

#[test]
fn panic_ignores_neither_breakers_nor_operators() {
    let mut world = World::new(&[1, 1, 1, 1]);
    world.break_(1);
    world.group.set_admin(C, Admin::Disabled, world.now);
    world
        .group
        .set_admin(PeerIndex(3), Admin::Draining, world.now);
    (0..4).for_each(|peer| world.down(peer));
    assert_eq!(world.serve(20), "a".repeat(20));
    world.group.set_admin(A, Admin::Disabled, world.now);
    let retry_after = Duration::from_secs(2);
    let probed = false;
    let all_open = NoPeer::AllOpen {
        retry_after,
        probed,
    };
    assert_eq!(world.pick().unwrap_err(), all_open);
    world.group.set_admin(B, Admin::Disabled, world.now);
    assert_eq!(world.pick().unwrap_err(), NoPeer::NoneUsable);
}

#[test]
fn in_panic_there_is_one_attempt() {
    let mut world = World::new(&[1, 1]);
    (0..2).for_each(|peer| world.down(peer));
    let first = tried(&[0]);
    let request = PickRequest {
        tried: &first,
        ..PickRequest::default()
    };
    assert_eq!(world.ask(&request).unwrap_err(), NoPeer::NoneUsable);
}

#[test]
fn in_panic_a_breaker_still_admits_its_probe() {
    // Checks that are wrong for ever must not keep a group down for ever.
    let mut world = World::new(&[1]);
    world.break_(0);
    world.down(0);
    assert!(world.pick().is_err());
    world.wait(2_000);
    let probe = world.pick().unwrap();
    assert!(probe.is_panic() && probe.is_probe());
    assert!(world.pick().is_err());
    drop(probe);
    assert_eq!(world.serve(3), "aaa");
}

#[test]
fn a_full_group_does_not_panic() {
    let mut world = World::with(&[1, 1], |policy| policy.max_in_flight = 1);
    world.down(1);
    let held = world.pick().unwrap();
    assert_eq!(world.pick().unwrap_err(), NoPeer::Busy);
    drop(held);
}

#[test]
fn an_unknown_peer_changes_nothing() {
    let mut world = World::new(&[1]);
    world.check(7, Probed::Failed);
    world
        .group
        .set_admin(PeerIndex(7), Admin::Disabled, world.now);
    world.group.force_primary(PeerIndex(7), world.now);
    assert_eq!(world.changes(), []);
    assert_eq!(world.group.losses(PeerIndex(7)), 0);
    assert_eq!(world.group.view(world.now).forced, None);
}
