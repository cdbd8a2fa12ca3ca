//! Weighted rendezvous hashing in integers: each key belongs to the peer with the best score.
//!
//! The score of a peer is `-log2(u) / weight`, least wins, with `u` the pair's hash as a fraction;
//! a peer's share is then its part of the weights, and removing a peer moves only its own keys.
//! No floating point and no libm: every build gives the same answer.

use super::{Gate, pool::Evenness};
use crate::hash::{mix, pair};

/// Peers with the hashes of their names, in the same order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named<'a> {
    pub(crate) members: &'a [u16],
    pub(crate) keys: &'a [u64],
    pub(crate) even: Evenness,
}

/// The owner of the key; the next best when it may not be taken.
pub(crate) fn choose(
    named: Named<'_>,
    gate: &Gate<'_>,
    key: u64,
    bound: Option<u32>,
) -> Option<u16> {
    if let Some(percent) = bound {
        let limit = Limit::new(named.members, gate, percent);
        let open = |peer, hash| gate.takes(peer, mix(hash)) && limit.allows(gate, peer);
        if let Some(found) = best(named, gate, key, open) {
            return Some(found);
        }
    }
    if gate.ramp.is_some() {
        let open = |peer, hash| gate.takes(peer, mix(hash));
        if let Some(found) = best(named, gate, key, open) {
            return Some(found);
        }
    }
    best(named, gate, key, |peer, _| gate.admits(peer))
}

fn best(
    named: Named<'_>,
    gate: &Gate<'_>,
    key: u64,
    open: impl Fn(u16, u64) -> bool,
) -> Option<u16> {
    let mut best: Option<(u64, u64, u16)> = None;
    for (&peer, &name) in named.members.iter().zip(named.keys) {
        let hash = pair(key, name);
        if !open(peer, hash) {
            continue;
        }
        // With equal weights the order of the hashes is the order of the scores.
        let (cost, weight) = match named.even {
            Evenness::Equal => (!hash, 1),
            Evenness::Weighted => (minus_log2(hash), gate.weight(peer)),
        };
        let better = best.is_none_or(|(least, of, _)| {
            u128::from(cost) * u128::from(of) < u128::from(least) * u128::from(weight)
        });
        if better {
            best = Some((cost, weight, peer));
        }
    }
    best.map(|(_, _, peer)| peer)
}

/// How much load a peer may have before its keys go to the next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    load: u64,
    weight: u64,
    percent: u32,
}

impl Limit {
    /// Reads the load of all members, so its cost grows with them.
    pub(crate) fn new(members: &[u16], gate: &Gate<'_>, percent: u32) -> Self {
        let open = members.iter().filter(|peer| gate.admits(**peer));
        let (load, weight) = open.fold((1, 0), |(load, weight), &peer| {
            (load + gate.load(peer), weight + gate.weight(peer))
        });
        Self {
            load,
            weight,
            percent,
        }
    }

    /// Whether one more request keeps the peer within its share, rounded up.
    pub(crate) fn allows(&self, gate: &Gate<'_>, peer: u16) -> bool {
        let fair = u128::from(self.load) * u128::from(gate.weight(peer)) * u128::from(self.percent);
        let most = fair.div_ceil(u128::from(self.weight.max(1)) * 100);
        u128::from(gate.load(peer)) < most
    }
}

/// `-log2(hash / 2^64)` with 32 bits after the point; strictly decreasing up to rounding.
pub(crate) fn minus_log2(hash: u64) -> u64 {
    let hash = hash | 1;
    let zeros = hash.leading_zeros();
    // The mantissa: 1.0 is the top bit, the fraction below it.
    let fraction = (hash << zeros) << 1;
    let (at, between) = (fraction >> 56, fraction << 8 >> 32);
    let at = usize::try_from(at).unwrap_or(0);
    let (low, high) = match TABLE.get(at..at + 2) {
        Some(&[low, high]) => (low, high),
        _ => (0, 0),
    };
    let log = low + (((high - low) * between) >> 32);
    ((u64::from(zeros) + 1) << 32) - log
}

/// `log2(1 + i / 256)` with 32 bits after the point, for `i` from 0 to 256.
static TABLE: [u64; 257] = table();

const fn table() -> [u64; 257] {
    let mut table = [0; 257];
    let mut at = 0;
    while at < 257 {
        table[at] = log2(256 + at as u64);
        at += 1;
    }
    table
}

/// `log2(number / 256)` for a number from 256 to 512, bit by bit: squaring a number doubles its
/// logarithm, and whether that passes 2 is the next bit.
const fn log2(number: u64) -> u64 {
    if number == 512 {
        return 1 << 32;
    }
    let mut value = (number as u128) << 54;
    let mut log = 0_u64;
    let mut bit = 0;
    while bit < 32 {
        value = (value * value) >> 62;
        log <<= 1;
        if value >> 63 != 0 {
            value >>= 1;
            log |= 1;
        }
        bit += 1;
    }
    log
}
