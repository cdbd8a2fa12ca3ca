//! Who may be chosen, and in which order.

use super::super::cycle::cycle;
use super::{ALL, Bench};
use crate::group::slot::BREAKER;
use crate::hash::mix;
use crate::peer::PeerIndex;
use crate::strategy::Strategy;
use crate::tried::Tried;

#[test]
fn every_strategy_finds_the_only_peer_left_and_none_when_there_is_none() {
    for strategy in ALL {
        for count in [1, 2, 3, 17, 64, 65, 200] {
            let bench = Bench::new(strategy, &vec![1; count]);
            for left in [0, count / 2, count - 1] {
                let down: Vec<usize> = (0..count).filter(|peer| *peer != left).collect();
                bench.down(&down);
                let expected = u16::try_from(left).ok();
                for draw in 0..20 {
                    let got = bench.choose(Some(mix(draw)), mix(draw + 99));
                    assert_eq!(got, expected, "{strategy:?} of {count}");
                }
                bench.down(&[left]);
                assert_eq!(bench.choose(Some(7), 7), None, "{strategy:?} of {count}");
                bench.slots.iter().for_each(|slot| slot.clear(BREAKER));
            }
        }
    }
}

#[test]
fn every_strategy_leaves_out_tried_full_and_weightless_peers() {
    for strategy in ALL {
        let mut bench = Bench::new(strategy, &[1, 1, 0, 1]);
        bench.tried.insert(PeerIndex(0));
        bench.cap = 2;
        bench.load(&[0, 2, 0, 1]);
        for draw in 0..50 {
            let got = bench.choose(Some(mix(draw)), mix(draw));
            assert_eq!(got, Some(3), "{strategy:?}");
        }
        bench.load(&[0, 2, 0, 2]);
        assert_eq!(bench.choose(Some(1), 1), None, "{strategy:?}");
    }
}

#[test]
fn a_pool_of_weightless_peers_has_nobody() {
    for strategy in ALL {
        assert_eq!(Bench::new(strategy, &[0, 0]).choose(Some(1), 1), None);
        assert_eq!(Bench::new(strategy, &[]).choose(Some(1), 1), None);
    }
}

#[test]
fn round_robin_takes_each_in_turn() {
    for strategy in [Strategy::RoundRobin, Strategy::Priority] {
        let bench = Bench::new(strategy, &[1, 9, 1]);
        let order: Vec<u16> = (0..6).filter_map(|_| bench.choose(None, 5)).collect();
        assert_eq!(order, [0, 1, 2, 0, 1, 2]);
    }
}

#[test]
fn round_robin_stays_even_when_a_peer_is_down() {
    let bench = Bench::new(Strategy::RoundRobin, &[1; 4]);
    bench.down(&[1]);
    assert_eq!(bench.counts(300), [100, 0, 100, 100]);
}

#[test]
fn retries_do_not_take_turns_of_the_shared_order() {
    let mut bench = Bench::new(Strategy::RoundRobin, &[1, 1]);
    for _ in 0..5 {
        assert_eq!(bench.choose(None, 1), Some(0));
        bench.tried.insert(PeerIndex(0));
        assert_eq!(bench.choose(None, 1), Some(1));
        bench.tried = Tried::new();
        assert_eq!(bench.choose(None, 1), Some(1));
    }
}

#[test]
fn weighted_turns_are_exact_and_interleaved() {
    let order = |weights: &[u16]| {
        let weights: Vec<(u16, u16)> = (0_u16..).zip(weights.iter().copied()).collect();
        cycle(&weights).into_vec()
    };
    assert_eq!(order(&[1, 1, 1]), [0, 1, 2]);
    assert_eq!(order(&[7, 7]), [0, 1]);
    assert_eq!(order(&[5, 1, 1]), [0, 1, 0, 0, 0, 2, 0]);
    assert_eq!(order(&[2, 4, 6]), [2, 1, 0, 2, 1, 2]);
    // Peers of one weight take turns within it.
    assert_eq!(order(&[2, 2, 1, 1]), [0, 2, 1, 0, 3, 1]);
    assert_eq!(order(&[3, 1, 3, 1]), [0, 1, 2, 0, 2, 0, 3, 2]);
    let long = order(&[50, 30, 20]);
    assert_eq!(long.len(), 10);
    // Nobody waits much longer than its share says.
    let bench = Bench::new(Strategy::WeightedRoundRobin, &[3, 1]);
    assert_eq!(bench.counts(400), [300, 100]);
}

#[test]
fn a_cycle_has_a_bounded_length_whatever_the_weights() {
    let turns = |weights: &[u16]| {
        let weights: Vec<(u16, u16)> = (0_u16..).zip(weights.iter().copied()).collect();
        let cycle = cycle(&weights);
        let count = |peer| cycle.iter().filter(|turn| **turn == peer).count();
        (cycle.len(), count(0), count(1))
    };
    assert_eq!(turns(&[65_535, 1]), (65_536, 65_535, 1));
    let (length, heavy, light) = turns(&[65_535, 65_534, 3]);
    assert_eq!((heavy, light), (32_768, 32_767));
    assert!(length <= 65_540, "{length}");
    let mut many = vec![65_535; 300];
    many[1] = 1;
    let (length, heavy, light) = turns(&many);
    assert_eq!((heavy, light), (219, 1));
    assert!(length < 66_000, "{length}");
}
