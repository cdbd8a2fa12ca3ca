//! What survives a reload.

use super::*;

/// The world after a reload with these peers.
fn reload(world: &World, peers: Vec<Peer>) -> World {
    let policy = world.group.policy().clone();
    reload_with(world, peers, policy)
}

/// The same with another policy.
fn reload_with(world: &World, peers: Vec<Peer>, policy: GroupPolicy) -> World {
    let by_name = |peer: &Peer| {
        let mut old = (0..).map(PeerIndex).zip(world.group.peers());
        let same = old.find(|(_, old)| old.name == peer.name);
        same.map(|(index, _)| index)
    };
    let was = peers.iter().map(by_name).collect();
    let group = world
        .group
        .succeeded("group", peers, policy, was, &[])
        .unwrap();
    group.inherit(&world.group, world.now);
    World {
        group,
        now: world.now,
        draws: 0,
    }
}

#[test]
fn peers_keep_their_state_by_name() {
    let mut old = World::new(&[1, 1, 1, 1, 1]);
    old.break_(0);
    old.down(1);
    old.group.set_admin(C, Admin::Disabled, old.now);
    old.group.set_admin(PeerIndex(3), Admin::Draining, old.now);
    let mut list = peers(&[1, 1, 1, 1, 1]);
    list.reverse();
    let mut new = reload(&old, list);
    // In the new order, e is the first and a the last.
    assert_eq!(new.serve(6), "aaaaaa");
    let view = new.group.view(new.now);
    let was = old.group.view(old.now);
    for (peer, before) in view.peers.iter().zip(was.peers.iter().rev()) {
        assert_eq!(peer.name, before.name);
        assert_eq!(peer.breaker, before.breaker, "{}", peer.name);
        assert_eq!(peer.health, before.health, "{}", peer.name);
        assert_eq!(peer.admin, before.admin, "{}", peer.name);
        assert_eq!(peer.losses, before.losses, "{}", peer.name);
        assert_eq!(peer.last_trip, before.last_trip, "{}", peer.name);
        assert_eq!(peer.in_flight, 0);
    }
    new.wait(2_000);
    assert_eq!(new.serve(2), "ee");
}

#[test]
fn a_new_peer_begins_afresh_and_a_renamed_one_too() {
    let mut old = World::new(&[1, 1]);
    old.break_(0);
    let mut new = reload(&old, vec![Peer::new("x"), Peer::new("b")]);
    assert_eq!(new.serve(2), "ab");
    assert_eq!(new.group.losses(A), 0);
}

#[test]
fn failures_and_cooldowns_count_on() {
    let mut old = World::new(&[1, 1]);
    for _ in 0..2 {
        let mut pick = old
            .ask(&PickRequest {
                pin: Some(A),
                ..PickRequest::default()
            })
            .unwrap();
        pick.settle(Verdict::ConnectFail, old.now, 0);
    }
    let mut pick = old
        .ask(&PickRequest {
            pin: Some(B),
            ..PickRequest::default()
        })
        .unwrap();
    let cooldown = Duration::from_secs(1);
    pick.settle(Verdict::Overload { cooldown }, old.now, 0);
    let mut new = reload(&old, peers(&[1, 1]));
    assert_eq!(new.end(Verdict::ConnectFail), 'a');
    assert_eq!(new.group.losses(A), 1);
}

#[test]
fn a_probe_under_way_does_not_hold_the_new_groups_slot() {
    let mut old = World::new(&[1]);
    old.break_(0);
    old.wait(2_000);
    let mut probe = old.pick().unwrap();
    let mut new = reload(&old, peers(&[1]));
    let other = new.pick().unwrap();
    assert!(other.is_probe());
    // Its own verdict stays with the group it came from.
    probe.settle(Verdict::Succeed, old.now, 0);
    assert_eq!(new.peer(0).breaker, BreakerView::HalfOpen);
}

#[test]
fn the_tier_in_use_the_budget_and_the_forced_primary_stay() {
    let mut old = World::new(&[1, 2, 2]);
    old.down(0);
    old.up(0);
    old.group.force_primary(C, old.now);
    let mut new = reload(&old, peers(&[1, 2, 2]));
    assert_eq!(new.serve(2), "cc");
    new.group.clear_primary(new.now);
    assert_eq!(new.serve(4).matches('a').count(), 0);
    assert_eq!(new.group.view(new.now).active, 2);
    assert_eq!(new.group.view(new.now).last_failover, Some(old.now));
    // The hold-down goes on where it was.
    new.wait(36_000);
    assert_eq!(new.group.view(new.now).active, 1);
}

#[test]
fn a_group_that_inherits_from_itself_is_unchanged() {
    let mut world = World::new(&[1, 1]);
    world.break_(0);
    world.group.inherit(&world.group, world.now);
    assert_eq!(world.serve(2), "bb");
}

#[test]
fn a_breaker_that_the_new_policy_lacks_is_dropped() {
    let mut old = World::new(&[1]);
    old.break_(0);
    let policy = GroupPolicy {
        breaker: None,
        ..GroupPolicy::default()
    };
    let mut new = reload_with(&old, peers(&[1]), policy);
    assert_eq!(new.serve(2), "aa");
}

#[test]
fn what_is_in_flight_counts_on_both_sides_of_a_reload() {
    let mut old = World::new(&[1, 1]);
    let pin = PickRequest {
        pin: Some(A),
        ..PickRequest::default()
    };
    let held = old.ask(&pin).unwrap();
    let mut list = peers(&[1, 1]);
    list.reverse();
    let mut new = reload_with(
        &old,
        list,
        GroupPolicy {
            max_in_flight: 1,
            ..old.group.policy().clone()
        },
    );
    assert_eq!(new.peer(1).in_flight, 1);
    assert_eq!(new.serve(2), "aa", "b, which is a by its old name, is full");
    let other = new.pick().unwrap();
    assert_eq!(old.peer(1).in_flight, 1);
    drop((held, other));
    assert_eq!((new.peer(0).in_flight, new.peer(1).in_flight), (0, 0));
}

#[test]
fn who_waits_on_the_old_group_hears_of_losses_in_the_new_one() {
    let old = World::new(&[1, 1]);
    let before = old.group.losses(B);
    let mut new = reload(&old, peers(&[1, 1]));
    new.down(1);
    assert_ne!(old.group.losses(B), before);
    assert_eq!(old.group.losses(A), new.group.losses(A));
}

#[test]
fn a_peer_of_the_same_name_that_is_another_begins_afresh() {
    let mut old = World::new(&[1, 1]);
    old.break_(0);
    let policy = old.group.policy().clone();
    let was = vec![None, Some(B)];
    let group = old
        .group
        .succeeded("group", peers(&[1, 1]), policy, was, &[]);
    let group = group.unwrap();
    group.inherit(&old.group, old.now);
    assert_eq!(group.losses(A), 0);
    assert_eq!(group.view(old.now).peers[0].breaker, BreakerView::Closed);
}
