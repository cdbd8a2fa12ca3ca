//! Where keys go: rendezvous for few peers, a ring for many.

use super::super::rendezvous::minus_log2;
use super::{Bench, assert_shares};
use crate::group::slot::BREAKER;
use crate::hash::{hash64, mix};
use crate::strategy::Strategy;

#[test]
fn a_key_keeps_its_peer() {
    for count in [3, 64, 65, 300] {
        let bench = Bench::new(Strategy::ConsistentHash, &vec![1; count]);
        for key in 0..200 {
            let first = bench.choose(Some(mix(key)), 1);
            assert_eq!(bench.choose(Some(mix(key)), 2), first);
        }
        // Without a key, the entropy decides.
        let spread: Vec<_> = (0..50).map(|draw| bench.choose(None, mix(draw))).collect();
        assert!(spread.windows(2).any(|two| two[0] != two[1]));
    }
}

/// Where keys go is part of the contract: replicas of different releases must agree.
#[test]
fn keys_go_where_they_always_went() {
    let golden: [(&[u16], [u16; 8]); 3] = [
        (&[1, 1, 1], [0, 2, 2, 0, 2, 1, 0, 2]),
        (&[1, 2, 3], [2, 2, 2, 2, 2, 1, 2, 2]),
        (&[1; 100], [19, 85, 29, 61, 18, 41, 73, 96]),
    ];
    for (weights, expected) in golden {
        let bench = Bench::new(Strategy::ConsistentHash, weights);
        let key = |key: u64| hash64(format!("tenant-{key}").as_bytes());
        let got: Vec<u16> = (0..8)
            .filter_map(|at| bench.choose(Some(key(at)), 0))
            .collect();
        assert_eq!(got, expected, "{} peers", weights.len());
    }
}

#[test]
fn the_order_of_the_configuration_does_not_matter_to_keys() {
    for count in [5, 100] {
        let name = |at: usize| format!("peer-{at}");
        let weight = |at: usize| u16::try_from(at % 4 + 1).unwrap();
        let peers = || (0..count).map(|at| (name(at), weight(at)));
        let there = Bench::named(Strategy::ConsistentHash, peers());
        let back = Bench::named(Strategy::ConsistentHash, peers().rev());
        for key in 0..500 {
            let one = usize::from(there.choose(Some(mix(key)), 0).unwrap());
            let other = usize::from(back.choose(Some(mix(key)), 0).unwrap());
            assert_eq!(one, count - 1 - other, "{count} peers, key {key}");
        }
    }
}

#[test]
fn a_peer_that_leaves_moves_only_its_own_keys() {
    for (count, weights) in [(5, 1), (5, 4), (64, 3), (65, 1), (100, 4)] {
        let weight = |at: usize| u16::try_from(at % weights + 1).unwrap();
        let peers = || (0..count).map(|at| (format!("peer-{at}"), weight(at)));
        let all = Bench::named(Strategy::ConsistentHash, peers());
        let gone = 3_u16;
        let fewer = Bench::named(
            Strategy::ConsistentHash,
            peers().filter(|(name, _)| name != "peer-3"),
        );
        let mut moved = 0;
        for key in 0..2_000 {
            let before = all.choose(Some(mix(key)), 0).unwrap();
            let after = fewer.choose(Some(mix(key)), 0).unwrap();
            let after = if after >= gone { after + 1 } else { after };
            if before == gone {
                moved += 1;
            } else if count != 65 {
                assert_eq!(before, after, "{count} peers, key {key}");
            }
        }
        assert!(moved > 0, "{count} peers");
    }
}

#[test]
fn a_peer_that_is_down_moves_only_its_own_keys_and_they_return() {
    for count in [5, 100] {
        let bench = Bench::new(Strategy::ConsistentHash, &vec![1; count]);
        let place = || -> Vec<u16> {
            let keys = 0..1_000_u64;
            keys.filter_map(|key| bench.choose(Some(mix(key)), 0))
                .collect()
        };
        let before = place();
        bench.down(&[2]);
        let during = place();
        for (before, during) in before.iter().zip(&during) {
            assert!(before == during || *before == 2, "{count} peers");
            assert_ne!(*during, 2);
        }
        bench.slots[2].clear(BREAKER);
        assert_eq!(place(), before);
    }
}

#[test]
fn a_ring_spreads_keys_by_weight() {
    let weights: Vec<u16> = (0..80).map(|at| at % 2 * 2 + 1).collect();
    let counts = Bench::new(Strategy::ConsistentHash, &weights).counts(80_000);
    let (mut light, mut heavy) = (0, 0);
    for (at, count) in counts.iter().enumerate() {
        assert!(*count > 0);
        *(if at % 2 == 0 { &mut light } else { &mut heavy }) += count;
    }
    assert_shares(&[light, heavy], &[1, 3], 6);
}

#[test]
fn a_ring_of_enormous_weights_stays_small_and_even() {
    let bench = Bench::new(Strategy::ConsistentHash, &[65_535; 70]);
    assert_shares(&bench.counts(70_000), &[1; 70], 45);
}

#[test]
fn a_key_whose_whole_neighbourhood_is_down_still_finds_a_peer() {
    let bench = Bench::new(Strategy::ConsistentHash, &[1; 500]);
    let down: Vec<usize> = (0..498).collect();
    bench.down(&down);
    for key in 0..200 {
        let peer = bench.choose(Some(mix(key)), 0);
        assert!(matches!(peer, Some(498 | 499)), "{peer:?}");
        assert_eq!(bench.choose(Some(mix(key)), 9), peer);
    }
}

#[test]
fn the_logarithm_is_exact_at_powers_of_two_and_never_rises() {
    for bit in 0..64_u32 {
        let log = minus_log2(1 << bit);
        let expected = u64::from(64 - bit) << 32;
        assert!(
            log.abs_diff(expected) <= 1 << (33 - bit.min(33)),
            "bit {bit}: {log}"
        );
    }
    // log2(1.5), 0.584962500721156 in any table, cut off after 32 bits.
    assert_eq!(minus_log2(3 << 62), (1 << 32) - 2_512_394_809);
    // Between two entries of the table: log2(1 + 1/512) is 0.0028150156.
    let between = minus_log2((1 << 63) + (1 << 54));
    assert!(
        between.abs_diff((1 << 32) - 12_090_400) < 15_000,
        "{between}"
    );
    let mut last = u64::MAX;
    for step in 0..100_000_u64 {
        let log = minus_log2(step * (u64::MAX / 100_000));
        assert!(log <= last, "{step}");
        last = log;
    }
}
