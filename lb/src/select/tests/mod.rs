//! Choosing among the peers of one pool.

mod keys;
mod load;
mod shares;
mod strategies;

use std::time::Duration;

use super::{Gate, Pool, Seed};
use crate::group::slot::{BREAKER, Lasting, Slot};
use crate::hash::{hash64, mix};
use crate::peer::Peer;
use crate::strategy::Strategy;
use crate::sync::Ordering;
use crate::time::Time;
use crate::tried::Tried;

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
            slots: peers
                .iter()
                .map(|peer| Slot::new(peer.weight, Lasting::new()))
                .collect(),
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
            serves: None,
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
            slot.lasting.in_flight.store(*load, Ordering::Relaxed);
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
