//! Requests that only one peer can serve.

use super::*;

fn pinned(peer: u16) -> PickRequest<'static> {
    PickRequest {
        pin: Some(PeerIndex(peer)),
        ..PickRequest::default()
    }
}

#[test]
fn a_pin_is_served_by_its_peer_whatever_the_order() {
    let mut list = peers(&[1, 1, 2]);
    list[1].weight = 0;
    let mut world = World::of(list, GroupPolicy::default());
    let cooldown = Duration::from_secs(9);
    for peer in 0..3 {
        let mut pick = world.ask(&pinned(peer)).unwrap();
        assert_eq!(pick.peer(), PeerIndex(peer));
        pick.settle(Verdict::Overload { cooldown }, world.now, 0);
        let state = Admin::Draining;
        world.group.set_admin(PeerIndex(peer), state, world.now);
        assert_eq!(world.ask(&pinned(peer)).unwrap().peer(), PeerIndex(peer));
    }
    let avoid = tried(&[0]);
    let request = PickRequest {
        tried: &avoid,
        ..pinned(0)
    };
    assert_eq!(world.ask(&request).unwrap().peer(), A);
}

#[test]
fn a_pin_that_is_lost_says_why() {
    let mut world = World::new(&[1, 1, 1, 1]);
    world.group.set_admin(A, Admin::Disabled, world.now);
    world.down(1);
    world.break_(2);
    for (peer, loss) in [
        (0, PinLoss::Disabled),
        (1, PinLoss::Unhealthy),
        (2, PinLoss::Open),
        (9, PinLoss::Gone),
    ] {
        let got = world.ask(&pinned(peer)).unwrap_err();
        assert_eq!(got, NoPeer::PinLost(PeerIndex(peer), loss));
    }
}

#[test]
fn a_pinned_request_may_be_the_probe() {
    let mut world = World::new(&[1, 1]);
    world.break_(0);
    world.wait(2_000);
    let probe = world.ask(&pinned(0)).unwrap();
    assert!(probe.is_probe());
    // Another learns that the answer is near.
    let lost = NoPeer::PinLost(A, PinLoss::HalfOpen);
    assert_eq!(world.ask(&pinned(0)).unwrap_err(), lost);
    world.wait(2_000);
    let lost = NoPeer::PinLost(A, PinLoss::Open);
    assert_eq!(world.ask(&pinned(0)).unwrap_err(), lost);
    drop(probe);
}
