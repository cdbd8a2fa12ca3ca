//! Breakers of a group.

use super::*;
use crate::BreakerPolicy;

#[test]
fn an_open_breaker_keeps_requests_off_and_is_told_of() {
    let mut world = World::new(&[1, 1]);
    world.break_(0);
    assert_eq!(world.serve(4), "bbbb");
    let until = world.now + Duration::from_secs(2);
    let why = Trip::Connect;
    let (peer, failures) = (A, 3);
    let expected = Change::BreakerOpened {
        peer,
        failures,
        until,
        why,
    };
    assert_eq!(world.changes(), [expected]);
    assert_eq!(world.changes(), []);
    assert_eq!(world.peer(0).breaker, BreakerView::Open { until });
    assert_eq!(world.peer(0).last_trip, Some(why));
    assert!(!world.peer(0).usable);
    assert_eq!(world.group.losses(A), 1);
    assert_eq!(world.group.losses(B), 0);
}

#[test]
fn it_closes_after_two_probes_and_ramps_up() {
    let mut world = World::new(&[1, 1]);
    world.break_(0);
    let _ = world.changes();
    world.wait(1_999);
    assert_eq!(world.serve(2), "bb");
    world.wait(1);
    assert_eq!(world.serve(2), "aa");
    let expected = [
        Change::BreakerHalfOpened { peer: A },
        Change::BreakerClosed { peer: A },
    ];
    assert_eq!(world.changes(), expected);
    // A tenth of its turns at first, all of them in the end.
    let early = world.serve(400).matches('a').count();
    assert!((5..=60).contains(&early), "{early}");
    world.wait(10_000);
    assert_eq!(world.serve(400).matches('a').count(), 200);
}

#[test]
fn a_closed_breaker_begins_with_clean_counters() {
    let mut world = World::new(&[1]);
    world.break_(0);
    world.wait(2_000);
    assert_eq!(world.serve(2), "aa");
    assert_eq!(world.end(Verdict::ConnectFail), 'a');
    assert_eq!(world.end(Verdict::ConnectFail), 'a');
    assert_eq!(world.peer(0).breaker, BreakerView::Closed);
    assert_eq!(world.end(Verdict::ConnectFail), 'a');
    assert_eq!(world.end(Verdict::ConnectFail), '-');
}

#[test]
fn when_all_are_open_the_soonest_reopening_is_told() {
    let mut world = World::new(&[1, 2]);
    world.break_(0);
    world.wait(500);
    world.break_(1);
    world.wait(100);
    let all_open = |millis, probed| NoPeer::AllOpen {
        retry_after: Duration::from_millis(millis),
        probed,
    };
    assert_eq!(world.pick().unwrap_err(), all_open(1_400, false));
    world.wait(1_400);
    let probe = world.pick().unwrap();
    assert!(probe.is_probe());
    assert_eq!(probe.peer(), A);
    assert_eq!(world.pick().unwrap_err(), all_open(500, true));
}

#[test]
fn a_result_of_before_the_trip_counts_for_nothing() {
    let mut world = World::new(&[1]);
    let mut early = world.pick().unwrap();
    let mut failed = world.pick().unwrap();
    world.break_(0);
    world.wait(2_000);
    let probe = world.pick().unwrap();
    // Neither closes, nor opens, nor frees the slot.
    early.settle(Verdict::Succeed, world.now, 0);
    failed.settle(Verdict::Fail, world.now, 0);
    assert_eq!(world.peer(0).breaker, BreakerView::HalfOpen);
    assert!(world.pick().is_err());
    drop(probe);
    world.pick().unwrap();
}

#[test]
fn a_pick_settles_once() {
    let mut world = World::new(&[1]);
    let mut pick = world.pick().unwrap();
    for _ in 0..9 {
        pick.settle(Verdict::ConnectFail, world.now, 0);
    }
    assert_eq!(world.peer(0).failures, 1);
}

#[test]
fn a_body_cut_short_counts_without_a_ticket_and_only_while_closed() {
    let mut world = World::new(&[1]);
    for _ in 0..4 {
        world.group.aborted(A, world.now, 0);
    }
    assert_eq!(world.group.losses(A), 0);
    world.group.aborted(A, world.now, 0);
    assert_eq!(world.group.losses(A), 1);
    world.wait(2_000);
    let mut probe = world.pick().unwrap();
    for _ in 0..9 {
        world.group.aborted(A, world.now, 0);
    }
    assert_eq!(world.group.losses(A), 1);
    probe.settle(Verdict::Succeed, world.now, 0);
    assert_eq!(world.serve(1), "a");
    assert_eq!(world.peer(0).breaker, BreakerView::Closed);
    world.group.aborted(PeerIndex(9), world.now, 0);
}

#[test]
fn a_rate_never_takes_out_more_than_half_of_a_tier() {
    // (peers in the tier, how many may be out for their rate)
    for (size, most) in [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2)] {
        let mut world = World::new(&vec![1; size]);
        for peer in 0..size {
            let pin = Some(PeerIndex(u16::try_from(peer).unwrap()));
            for _ in 0..25 {
                let request = PickRequest {
                    pin,
                    ..PickRequest::default()
                };
                if let Ok(mut pick) = world.ask(&request) {
                    pick.settle(Verdict::RateFail, world.now, 0);
                }
            }
        }
        let view = world.group.view(world.now);
        let open = view.peers.iter().filter(|peer| !peer.usable).count();
        assert_eq!(open, most, "{size} peers");
    }
}

#[test]
fn peers_that_are_out_for_other_reasons_count_against_the_half() {
    let mut world = World::new(&[1, 1, 1, 1, 2]);
    world.break_(0);
    world.break_(1);
    for _ in 0..60 {
        world.end(Verdict::RateFail);
    }
    assert!(world.peer(2).usable && world.peer(3).usable);
    // Another tier's have nothing to do with it.
    world.break_(2);
    world.break_(3);
    assert_eq!(world.serve(1), "e");
}

#[test]
fn without_a_breaker_nothing_opens() {
    let mut world = World::with(&[1], |policy| policy.breaker = None);
    for _ in 0..100 {
        assert_eq!(world.end(Verdict::ConnectFail), 'a');
        world.group.aborted(A, world.now, 0);
    }
    assert_eq!(world.changes(), []);
}

#[test]
fn overload_sheds_load_and_is_no_failure() {
    let cooldown = Duration::from_secs(3);
    let mut world = World::new(&[1, 1]);
    for _ in 0..20 {
        let mut pick = world
            .ask(&PickRequest {
                pin: Some(A),
                ..PickRequest::default()
            })
            .unwrap();
        pick.settle(Verdict::Overload { cooldown }, world.now, 0);
    }
    assert_eq!(world.serve(4), "bbbb");
    assert_eq!(world.peer(0).breaker, BreakerView::Closed);
    assert_eq!(world.peer(0).failures, 0);
    assert_eq!(world.peer(0).cooling_until, Some(world.now + cooldown));
    assert!(world.peer(0).usable);
    world.wait(2_999);
    assert_eq!(world.serve(2), "bb");
    world.wait(1);
    let mut served = world.serve(2).into_bytes();
    served.sort_unstable();
    assert_eq!(served, b"ab");
    assert_eq!(world.peer(0).cooling_until, None);
}

#[test]
fn an_overloaded_peer_is_better_than_none() {
    let cooldown = Duration::from_secs(3);
    let mut world = World::new(&[1, 2]);
    assert_eq!(world.end(Verdict::Overload { cooldown }), 'a');
    assert_eq!(world.end(Verdict::Overload { cooldown }), 'b');
    assert_eq!(world.serve(2), "aa");
    // It does not change the tier in use.
    assert_eq!(world.changes(), []);
}

#[test]
fn an_overloaded_peer_is_better_than_one_that_was_tried() {
    let cooldown = Duration::from_secs(3);
    let mut world = World::new(&[1, 1]);
    assert_eq!(world.end(Verdict::Overload { cooldown }), 'a');
    let tried_one = tried(&[1]);
    let retry = PickRequest {
        tried: &tried_one,
        ..PickRequest::default()
    };
    for _ in 0..4 {
        assert_eq!(world.ask(&retry).unwrap().peer(), A);
    }
}

#[test]
fn an_overloaded_peer_that_was_tried_is_better_than_none() {
    let cooldown = Duration::from_secs(3);
    let mut world = World::new(&[1, 1]);
    world.break_(1);
    assert_eq!(world.end(Verdict::Overload { cooldown }), 'a');
    for retry_same in [true, false] {
        let tried_one = tried(&[0]);
        let retry = PickRequest {
            tried: &tried_one,
            retry_same,
            ..PickRequest::default()
        };
        assert_eq!(world.ask(&retry).unwrap().peer(), A);
    }
}

#[test]
fn the_same_peer_is_tried_again_though_it_is_overloaded() {
    let cooldown = Duration::from_secs(3);
    let mut world = World::new(&[1, 1]);
    assert_eq!(world.end(Verdict::Overload { cooldown }), 'a');
    let tried_one = tried(&[0]);
    let again = PickRequest {
        tried: &tried_one,
        retry_same: true,
        ..PickRequest::default()
    };
    assert_eq!(world.ask(&again).unwrap().peer(), A);
}

#[test]
fn an_overloaded_probe_has_failed() {
    let mut world = World::new(&[1]);
    world.break_(0);
    world.wait(2_000);
    let cooldown = Duration::ZERO;
    assert_eq!(world.end(Verdict::Overload { cooldown }), 'a');
    assert_eq!(world.end(Verdict::Succeed), '-');
    assert_eq!(world.peer(0).last_trip, Some(Trip::Probe));
}

#[test]
fn a_full_peer_takes_no_more_and_all_full_is_busy() {
    let mut world = World::with(&[1, 1, 2], |policy| policy.max_in_flight = 2);
    let held: Vec<Pick> = (0..6).map(|_| world.pick().unwrap()).collect();
    let mut who: Vec<char> = held.iter().map(|pick| letter(pick.peer())).collect();
    assert_eq!(who.split_off(4), ['c', 'c']);
    assert_eq!(world.pick().unwrap_err(), NoPeer::Busy);
    let pin = Some(A);
    let pinned = PickRequest {
        pin,
        ..PickRequest::default()
    };
    assert_eq!(world.ask(&pinned).unwrap_err(), NoPeer::Busy);
    assert_eq!(world.peer(0).in_flight, 2);
    drop(held);
    assert_eq!(world.peer(0).in_flight, 0);
    world.pick().unwrap();
}

#[test]
fn a_lease_that_runs_out_opens_the_breaker_again() {
    let breaker = BreakerPolicy {
        probe_lease: Duration::from_secs(5),
        ..BreakerPolicy::default()
    };
    let mut world = World::with(&[1, 1], |policy| policy.breaker = Some(breaker.clone()));
    world.break_(0);
    world.wait(2_000);
    let mut slow = world.pick().unwrap();
    assert_eq!(slow.peer(), A);
    world.wait(5_000);
    assert_eq!(world.serve(2), "bb");
    assert_eq!(world.peer(0).last_trip, Some(Trip::Lease));
    assert_eq!(world.group.losses(A), 2);
    slow.settle(Verdict::Succeed, world.now, 0);
    drop(slow);
    assert_eq!(world.serve(2), "bb");
    // Four seconds, and up to half as much.
    world.wait(6_000);
    assert_eq!(world.serve(2), "aa");
}

#[test]
fn changes_that_nobody_takes_are_bounded_and_counted() {
    let mut world = World::new(&[1, 1]);
    for _ in 0..600 {
        world.down(0);
        world.up(0);
    }
    let changes = world.changes();
    assert_eq!(changes.len(), 1_025);
    assert_eq!(changes[0], Change::Dropped(176));
    assert_eq!(changes[1_024], Change::PeerHealthy { peer: A });
    assert_eq!(world.changes(), []);
}
