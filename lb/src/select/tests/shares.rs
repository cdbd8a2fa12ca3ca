//! How much each peer gets: by its weight, and while it warms up.

use std::time::Duration;

use super::{ALL, Bench, assert_shares};
use crate::hash::mix;
use crate::strategy::Strategy;
use crate::sync::Ordering;

#[test]
fn weights_set_the_shares() {
    let weights = [1, 2, 3, 0, 4];
    for strategy in [
        Strategy::WeightedRoundRobin,
        Strategy::Random,
        Strategy::ConsistentHash,
    ] {
        let bench = Bench::new(strategy, &weights);
        assert_shares(&bench.counts(20_000), &weights, 8);
    }
    // Two are drawn by weight, and with equal load per weight the first drawn is taken.
    let bench = Bench::new(Strategy::PowerOfTwo, &[1, 2, 3]);
    let counts = bench.counts(20_000);
    assert!(counts[0] < counts[1] && counts[1] < counts[2], "{counts:?}");
}

#[test]
fn weights_set_the_shares_of_those_that_are_left() {
    for strategy in [
        Strategy::WeightedRoundRobin,
        Strategy::Random,
        Strategy::ConsistentHash,
    ] {
        let bench = Bench::new(strategy, &[1, 2, 3, 30, 4]);
        bench.down(&[3]);
        assert_shares(&bench.counts(20_000), &[1, 2, 3, 0, 4], 8);
    }
}

#[test]
fn equal_weights_get_equal_shares() {
    for strategy in ALL {
        let bench = Bench::new(strategy, &[5; 4]);
        assert_shares(&bench.counts(20_000), &[5; 4], 5);
    }
}

#[test]
fn a_peer_in_its_slow_start_takes_a_growing_part() {
    for strategy in ALL {
        if strategy == Strategy::LeastConnections {
            continue;
        }
        let mut bench = Bench::new(strategy, &[1, 1]);
        bench.ramp = Some(Duration::from_secs(10));
        let start = bench.now;
        bench.slots[0]
            .ramp_from
            .store(start.as_micros(), Ordering::Relaxed);
        let mut last = 0;
        for (seconds, least, most) in [
            (0, 200, 1_300),
            (5, 2_300, 3_800),
            (9, 4_000, 4_900),
            (10, 4_700, 5_300),
        ] {
            bench.now = start + Duration::from_secs(seconds);
            let took = bench.counts(10_000)[0];
            assert!(
                (least..=most).contains(&took),
                "{strategy:?} {seconds} s: {took}"
            );
            assert!(took > last);
            last = took;
        }
    }
}

#[test]
fn a_slow_start_makes_load_weigh_more() {
    let mut bench = Bench::new(Strategy::LeastConnections, &[1, 1]);
    bench.ramp = Some(Duration::from_secs(10));
    bench.slots[0]
        .ramp_from
        .store(bench.now.as_micros(), Ordering::Relaxed);
    bench.load(&[0, 8]);
    assert_eq!(bench.choose(None, 1), Some(1));
    bench.load(&[0, 10]);
    assert_eq!(bench.choose(None, 1), Some(0));
}

#[test]
fn a_peer_in_its_slow_start_is_better_than_none() {
    for strategy in ALL {
        let mut bench = Bench::new(strategy, &[1, 1]);
        bench.ramp = Some(Duration::from_secs(10));
        for slot in &bench.slots {
            slot.ramp_from
                .store(bench.now.as_micros(), Ordering::Relaxed);
        }
        for draw in 0..200 {
            assert!(
                bench.choose(Some(mix(draw)), mix(draw)).is_some(),
                "{strategy:?}"
            );
        }
    }
}
