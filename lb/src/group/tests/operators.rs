//! What operators say.

use super::*;

#[test]
fn disabled_and_draining_peers_get_nothing_new() {
    for state in [Admin::Disabled, Admin::Draining] {
        let mut world = World::new(&[1, 1]);
        world.group.set_admin(A, state, world.now);
        world.group.set_admin(A, state, world.now);
        let expected = Change::AdminChanged { peer: A, to: state };
        assert_eq!(world.changes(), [expected]);
        assert_eq!(world.serve(3), "bbb");
        assert_eq!(world.peer(0).admin, state);
        world.group.set_admin(B, state, world.now);
        assert_eq!(world.pick().unwrap_err(), NoPeer::NoneUsable);
        world.group.set_admin(A, Admin::Enabled, world.now);
        assert_eq!(world.serve(2), "aa");
    }
}

#[test]
fn a_forced_primary_goes_first_while_it_is_usable() {
    let mut world = World::new(&[1, 1, 2]);
    world.group.force_primary(C, world.now);
    assert_eq!(world.group.view(world.now).forced, Some(C));
    assert_eq!(world.serve(3), "ccc");
    world.break_(2);
    assert_eq!(world.serve(2).matches('c').count(), 0);
    // It is probed though its tier is not in use.
    world.wait(2_000);
    assert_eq!(world.serve(3), "ccc");
    world.down(2);
    assert_eq!(world.serve(2).matches('c').count(), 0);
    world.up(2);
    assert_eq!(world.serve(2), "cc");
    let avoid = tried(&[2]);
    let request = PickRequest {
        tried: &avoid,
        ..PickRequest::default()
    };
    assert_ne!(world.ask(&request).unwrap().peer(), C);
    world.group.clear_primary(world.now);
    assert_eq!(world.serve(4).matches('c').count(), 0);
    assert_eq!(world.group.view(world.now).forced, None);
}

#[test]
fn by_hand_traffic_returns_at_once_and_whole() {
    let mut world = World::with(&[1, 2], |policy| {
        policy.failback.mode = crate::FailbackMode::Manual;
    });
    world.down(0);
    assert_eq!(world.serve(1), "b");
    world.up(0);
    world.wait(3_600_000);
    assert_eq!(world.serve(3), "bbb");
    world.group.failback(world.now);
    assert_eq!(world.serve(5), "aaaaa");
    let (from, to) = (2, 1);
    assert_eq!(
        world.changes().last(),
        Some(&Change::TierChanged { from, to })
    );
}

#[test]
fn the_view_names_what_it_shows() {
    let mut world = World::new(&[1, 2]);
    let held = world.pick().unwrap();
    let view = world.group.view(world.now);
    assert_eq!(
        (view.name.as_str(), view.active, view.usable),
        ("group", 1, 2)
    );
    assert_eq!(view.retry_tokens, 10);
    assert_eq!(view.last_failover, None);
    let peer = &view.peers[0];
    assert_eq!(
        (peer.name.as_str(), peer.priority, peer.weight),
        ("a", 1, 1)
    );
    assert_eq!((peer.in_flight, peer.losses, peer.failures), (1, 0, 0));
    assert!(peer.usable);
    drop(held);
    assert_eq!(world.group.name(), "group");
    assert_eq!(world.group.peers().len(), 2);
    assert_eq!(world.group.policy().min_healthy, 1);
    assert!(format!("{:?}", world.group).contains("group"));
}
