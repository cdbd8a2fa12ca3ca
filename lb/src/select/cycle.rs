//! Weighted round robin as a cycle that is worked out once.

use std::collections::BTreeMap;

/// The order of one round: each peer as often as its weight says, spread evenly.
///
/// Turn `k` of a peer is due at `(k + phase) / weight` of the round; the cycle is all turns by due
/// time. The phase of the `j`th of `m` peers of one weight is `(2j + 1) / 2m`: alone it is in the
/// middle of its turn, and peers of one weight take turns. Weights are first divided by what they
/// have in common; when a round would still be longer than `LONGEST`, shares are rounded to it,
/// but nobody below one turn.
pub(crate) fn cycle(weights: &[(u16, u16)]) -> Box<[u16]> {
    let turns = turns(weights);
    let mut like: BTreeMap<u64, (u128, u128)> = BTreeMap::new();
    for count in &turns {
        like.entry(*count).or_default().1 += 1;
    }
    let mut due = Vec::new();
    for (&(peer, _), &count) in weights.iter().zip(&turns) {
        let (seen, peers) = like.entry(count).or_default();
        let phase = 2 * *seen + 1;
        *seen += 1;
        for turn in 0..count {
            let numerator = u128::from(turn) * 2 * *peers + phase;
            let whole = u128::from(count) * 2 * *peers;
            due.push(((numerator << FRACTION) / whole, peer));
        }
    }
    due.sort_unstable();
    due.into_iter().map(|(_, peer)| peer).collect()
}

/// How often each peer's turn comes in one round.
fn turns(weights: &[(u16, u16)]) -> Vec<u64> {
    let common = weights
        .iter()
        .fold(0, |common, &(_, weight)| divisor(common, u64::from(weight)))
        .max(1);
    let reduced = weights
        .iter()
        .map(|&(_, weight)| u64::from(weight) / common);
    let turns: Vec<u64> = reduced.collect();
    let whole: u64 = turns.iter().sum();
    if whole <= LONGEST {
        return turns;
    }
    let scaled = |turn: &u64| ((turn * LONGEST + whole / 2) / whole).max(1);
    turns.iter().map(scaled).collect()
}

fn divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Bounds the memory of a tier to some hundred KiB whatever its weights.
const LONGEST: u64 = 1 << 16;
/// Bits after the point of a due time: turns of 65536 peers with 65536 turns stay apart.
const FRACTION: u32 = 40;
