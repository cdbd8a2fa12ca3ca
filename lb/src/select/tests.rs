//! Choosing among the peers of one pool.

use std::time::Duration;

use super::*;
use crate::group::slot::{BREAKER, Slot};
use crate::hash::{hash64, mix};
use crate::peer::{Peer, PeerIndex};
use crate::strategy::Strategy;
use crate::sync::Ordering;
use crate::time::Time;
use crate::tried::Tried;
use rendezvous::minus_log2;

/// A pool, and what the gate reads.
struct Bench {
    pool: Pool,
    slots: Vec<Slot>,
    tried: Tried,
    cap: u32,
    ramp: Option<Duration>,
    bound: Option<u32>,
    now: Time,
}

impl Bench {
    fn new(strategy: Strategy, weights: &[u16]) -> Self {
        let names = (0..weights.len()).map(|at| format!("peer-{at}"));
        Self::named(strategy, names.zip(weights.iter().copied()))
    }

    fn named(strategy: Strategy, peers: impl Iterator<Item = (String, u16)>) -> Self {
        let peer = |(name, weight)| Peer {
            weight,
            ..Peer::new(name)
        };
        let peers: Vec<Peer> = peers.map(peer).collect();
        let members: Vec<u16> = (0..u16::try_from(peers.len()).unwrap()).collect();
        Self {
            pool: Pool::new(&members, &peers, strategy),
            slots: peers.iter().map(|peer| Slot::new(peer.weight)).collect(),
            tried: Tried::new(),
            cap: 0,
            ramp: None,
            bound: None,
            now: Time::from_secs(100),
        }
    }

    fn choose(&self, key: Option<u64>, entropy: u64) -> Option<u16> {
        let gate = Gate {
            slots: &self.slots,
            now: self.now,
            mask: u32::MAX,
            tried: &self.tried,
            cap: self.cap,
            ramp: self.ramp,
        };
        let bound = self.bound;
        let seed = Seed {
            key,
            entropy,
            bound,
        };
        self.pool.choose(&gate, seed)
    }

    /// How often each peer was chosen.
    fn counts(&self, times: u64) -> Vec<u32> {
        let mut counts = vec![0; self.slots.len()];
        for time in 0..times {
            let peer = self
                .choose(Some(hash64(&time.to_le_bytes())), mix(time))
                .unwrap();
            counts[usize::from(peer)] += 1;
        }
        counts
    }

    fn down(&self, peers: &[usize]) {
        for &peer in peers {
            self.slots[peer].set(BREAKER);
        }
    }

    fn load(&self, loads: &[u32]) {
        for (slot, load) in self.slots.iter().zip(loads) {
            slot.in_flight.store(*load, Ordering::Relaxed);
        }
    }
}

const ALL: [Strategy; 7] = [
    Strategy::ConsistentHash,
    Strategy::LeastConnections,
    Strategy::PowerOfTwo,
    Strategy::Priority,
    Strategy::Random,
    Strategy::RoundRobin,
    Strategy::WeightedRoundRobin,
];

/// Whether counts are what the weights say, give or take `percent` of each.
fn assert_shares(counts: &[u32], weights: &[u16], percent: u32) {
    let total: u32 = counts.iter().sum();
    let whole: u32 = weights.iter().map(|weight| u32::from(*weight)).sum();
    for (count, weight) in counts.iter().zip(weights) {
        let fair = total * u32::from(*weight) / whole;
        let off = count.abs_diff(fair);
        assert!(off * 100 <= fair * percent, "{counts:?} for {weights:?}");
    }
}

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
        cycle::cycle(&weights).into_vec()
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
        let cycle = cycle::cycle(&weights);
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
fn two_draws_never_fall_on_the_same_peer() {
    // With all load on one of two peers, the other always wins.
    for weights in [[1, 1], [1, 9], [9, 1]] {
        let bench = Bench::new(Strategy::PowerOfTwo, &weights);
        bench.load(&[100, 0]);
        assert_eq!(bench.counts(500), [0, 500]);
    }
    // And of three, the loaded one never does.
    for weights in [[1, 1, 1], [7, 1, 2]] {
        let bench = Bench::new(Strategy::PowerOfTwo, &weights);
        bench.load(&[500, 0, 0]);
        assert_eq!(bench.counts(500)[0], 0);
    }
}

#[test]
fn load_is_compared_per_weight() {
    // (weights, loads, the peer with the least)
    let rows = [
        ([1, 1], [3, 2], 1),
        ([2, 1], [3, 2], 0),
        ([2, 1], [5, 2], 0),
        ([2, 1], [6, 2], 1),
        ([1, 3], [0, 0], 1),
        ([65_535, 1], [60_000, 1], 0),
    ];
    for (weights, loads, expected) in rows {
        for strategy in [Strategy::LeastConnections, Strategy::PowerOfTwo] {
            let tie =
                (loads[0] + 1) * u32::from(weights[1]) == (loads[1] + 1) * u32::from(weights[0]);
            if tie {
                continue;
            }
            let bench = Bench::new(strategy, &weights);
            bench.load(&loads);
            for draw in 0..20 {
                let got = bench.choose(None, mix(draw));
                assert_eq!(got, Some(expected), "{strategy:?} {weights:?} {loads:?}");
            }
        }
    }
}

#[test]
fn least_connections_looks_at_every_peer() {
    let bench = Bench::new(Strategy::LeastConnections, &[1; 100]);
    for idle in 0..100_u16 {
        let loads: Vec<u32> = (0..100).map(|peer| u32::from(peer != idle) * 5).collect();
        bench.load(&loads);
        assert_eq!(bench.choose(None, mix(u64::from(idle))), Some(idle));
    }
}

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
fn bounded_load_passes_over_a_peer_with_more_than_its_share() {
    for count in [4_u16, 100] {
        let mut bench = Bench::new(Strategy::ConsistentHash, &vec![1; usize::from(count)]);
        let key = Some(mix(11));
        let owner = bench.choose(key, 0).unwrap();
        // Together with this request, each has 10 of `count` times 10.
        let mut loads = vec![10; usize::from(count)];
        loads[0] -= 1;
        bench.load(&loads);
        bench.bound = Some(125);
        assert_eq!(bench.choose(key, 0), Some(owner));
        loads[usize::from(owner)] = 14;
        bench.load(&loads);
        assert_ne!(bench.choose(key, 0), Some(owner));
        bench.bound = None;
        assert_eq!(bench.choose(key, 0), Some(owner));
    }
}

#[test]
fn a_share_is_one_of_the_weights() {
    let mut bench = Bench::new(Strategy::ConsistentHash, &[1, 3]);
    bench.bound = Some(100);
    // With this request eight in all: two and six are fair.
    for (loads, expected) in [([2, 5], 1), ([1, 6], 0)] {
        bench.load(&loads);
        for key in 0..30 {
            assert_eq!(bench.choose(Some(mix(key)), 0), Some(expected), "{loads:?}");
        }
    }
}

#[test]
fn a_bound_never_leaves_a_request_without_a_peer() {
    let mut bench = Bench::new(Strategy::ConsistentHash, &[1, 1]);
    bench.bound = Some(100);
    bench.load(&[50, 0]);
    bench.tried.insert(PeerIndex(1));
    assert_eq!(bench.choose(Some(3), 0), Some(0));
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
