//! The less loaded peer is chosen, and bounds on load.

use super::Bench;
use crate::hash::mix;
use crate::peer::PeerIndex;
use crate::strategy::Strategy;

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
        // Near enough that a sum would say otherwise than the product.
        ([1, 3], [1, 4], 1),
        ([3, 1], [4, 1], 0),
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
