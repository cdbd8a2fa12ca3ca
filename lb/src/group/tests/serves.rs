//! Requests that not every peer can serve.

use super::*;
use crate::{HealthView, PeerSet};

/// A set of a group of `peers` without some.
fn without(peers: usize, out: &[u16]) -> PeerSet {
    let set = PeerSet::all(peers);
    for peer in out {
        set.remove(PeerIndex(*peer));
    }
    set
}

fn only(set: &PeerSet) -> PickRequest<'_> {
    PickRequest {
        serves: Some(set),
        repeatable: true,
        ..PickRequest::default()
    }
}

#[test]
fn every_strategy_passes_over_peers_that_cannot_serve() {
    for strategy in [
        Strategy::ConsistentHash,
        Strategy::LeastConnections,
        Strategy::PowerOfTwo,
        Strategy::Priority,
        Strategy::Random,
        Strategy::RoundRobin,
        Strategy::WeightedRoundRobin,
    ] {
        // More peers than are scored one by one, so that the ring is walked too.
        for size in [4_u16, 100] {
            let priorities = vec![1; usize::from(size)];
            let named = |(at, peer): (usize, Peer)| Peer {
                name: at.to_string(),
                ..peer
            };
            let peers = priorities.iter().map(|_| Peer::new(""));
            let policy = GroupPolicy {
                strategy,
                ..GroupPolicy::default()
            };
            let mut world = World::of(peers.enumerate().map(named).collect(), policy);
            let odd: Vec<u16> = (0..size).filter(|peer| peer % 2 == 1).collect();
            let set = without(usize::from(size), &odd);
            for key in 0..200 {
                for hash in [None, Some(mix(key))] {
                    let request = PickRequest { hash, ..only(&set) };
                    let peer = world.ask(&request).unwrap().peer();
                    assert_eq!(peer.0 % 2, 0, "{strategy:?} of {size}, key {key}");
                }
            }
        }
    }
}

#[test]
fn a_key_whose_owner_cannot_serve_moves_and_no_other_does() {
    let hashed = |policy: &mut GroupPolicy| policy.strategy = Strategy::ConsistentHash;
    let mut world = World::with(&[1, 1, 1], hashed);
    let (all, some) = (without(3, &[]), without(3, &[1]));
    for key in 0..300 {
        let hash = Some(mix(key));
        let owner = |world: &mut World, set| {
            let request = PickRequest { hash, ..only(set) };
            world.ask(&request).unwrap().peer()
        };
        let (before, after) = (owner(&mut world, &all), owner(&mut world, &some));
        assert_eq!(before == after, before != B, "key {key}");
    }
}

#[test]
fn nothing_goes_past_the_set() {
    // The first tier cannot serve: the next one does, in use or not.
    let mut world = World::new(&[1, 2, 3]);
    let set = without(3, &[0]);
    assert_eq!(world.ask(&only(&set)).unwrap().peer(), B);
    // Nor does an operator's choice,
    world.group.force_primary(A, world.now);
    assert_eq!(world.ask(&only(&set)).unwrap().peer(), B);
    // a pin,
    let pinned = PickRequest {
        pin: Some(A),
        ..only(&set)
    };
    let unfit = NoPeer::PinLost(A, PinLoss::Unfit);
    assert_eq!(world.ask(&pinned).unwrap_err(), unfit);
    // a second try of the same peer,
    let tried = tried(&[0]);
    let again = PickRequest {
        tried: &tried,
        retry_same: true,
        ..only(&set)
    };
    assert_eq!(world.ask(&again).unwrap().peer(), B);
    // a probe,
    world.break_(0);
    world.wait(60_000);
    let pick = world.ask(&only(&set)).unwrap();
    assert_eq!((pick.peer(), pick.is_probe()), (B, false));
    // or panic.
    (0..3).for_each(|peer| world.down(peer));
    for _ in 0..20 {
        let pick = world.ask(&only(&set)).unwrap();
        assert_ne!(pick.peer(), A);
        assert!(pick.is_panic());
    }
}

#[test]
fn the_reason_is_that_of_the_peers_that_could_serve() {
    let mut world = World::new(&[1, 1]);
    let (nobody, last) = (without(2, &[0, 1]), without(2, &[0]));
    assert_eq!(world.ask(&only(&nobody)).unwrap_err(), NoPeer::NoneServes);
    world.group.set_admin(B, Admin::Disabled, world.now);
    assert_eq!(world.ask(&only(&last)).unwrap_err(), NoPeer::NoneUsable);
    world.group.set_admin(B, Admin::Enabled, world.now);
    world.break_(1);
    let open = world.ask(&only(&last)).unwrap_err();
    assert!(matches!(open, NoPeer::AllOpen { .. }), "{open:?}");
}

#[test]
fn another_peer_counts_only_if_it_can_serve() {
    let world = World::new(&[1, 1]);
    let (first, set) = (tried(&[0]), without(2, &[1]));
    assert!(world.group.has_other(&first, None, world.now));
    assert!(!world.group.has_other(&first, Some(&set), world.now));
}

#[test]
fn a_peer_with_too_much_to_do_is_left_alone_for_a_while() {
    let mut world = World::new(&[1, 1]);
    world.group.shed(A, Duration::from_secs(2), world.now);
    assert_eq!(world.serve(4), "bbbb");
    assert_eq!(world.peer(0).health, HealthView::Unchecked);
    world.wait(2_000);
    assert_eq!(world.serve(4).matches('a').count(), 2);
}
