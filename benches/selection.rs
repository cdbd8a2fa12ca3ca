//! What choosing a peer costs: every strategy, for 3 peers and for 1,000.
//!
//! `cargo bench -p backstay-lb --bench selection`; the targets are 50 ns and 200 ns.

#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot run should say so"
)]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use lb::{Group, GroupPolicy, Peer, PickRequest, Strategy, Time, Tried, Verdict};
use std::hint::black_box;

const STRATEGIES: [Strategy; 7] = [
    Strategy::ConsistentHash,
    Strategy::LeastConnections,
    Strategy::PowerOfTwo,
    Strategy::Priority,
    Strategy::Random,
    Strategy::RoundRobin,
    Strategy::WeightedRoundRobin,
];

/// The mixing step of splitmix64: entropy that costs next to nothing.
fn mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed ^ (mixed >> 31)
}

fn selection(criterion: &mut Criterion) {
    for peers in [3, 1000] {
        let mut bench = criterion.benchmark_group(format!("pick of {peers}"));
        for strategy in STRATEGIES {
            let specs = (0..peers).map(|peer| Peer::new(format!("peer-{peer}")));
            let policy = GroupPolicy {
                strategy,
                ..GroupPolicy::default()
            };
            let group = Group::new("bench", specs.collect(), policy).expect("a sound group");
            let now = Time::from_millis(1_000);
            let mut entropy = 1;
            bench.bench_function(
                BenchmarkId::from_parameter(format!("{strategy:?}")),
                |bench| {
                    bench.iter(|| {
                        let tried = Tried::default();
                        let request = PickRequest {
                            hash: Some(mix(&mut entropy)),
                            pin: None,
                            region: None,
                            serves: None,
                            tried: &tried,
                            repeatable: true,
                            retry_same: false,
                        };
                        let picked = group.pick(black_box(&request), now, mix(&mut entropy));
                        let mut pick = picked.expect("every peer is usable");
                        pick.settle(Verdict::Succeed, now, 0);
                        black_box(pick.peer())
                    });
                },
            );
        }
        bench.finish();
    }
}

criterion_group!(benches, selection);
criterion_main!(benches);
