//! Drawing at random: one by weight, or the better of two.

use super::{Gate, pool::Pool};
use crate::hash::{below, mix};

/// One, by weight.
pub(crate) fn one(pool: &Pool, gate: &Gate<'_>, entropy: u64) -> Option<u16> {
    let mut draw = entropy;
    for _ in 0..TRIES {
        let at = pool.position(below(draw, pool.total()));
        draw = mix(draw);
        let peer = pool.member(at)?;
        if gate.takes(peer, draw) {
            return Some(peer);
        }
        draw = mix(draw);
    }
    scan(pool, gate, draw, None)
}

/// Two different ones by weight, the less loaded of them.
pub(crate) fn two(pool: &Pool, gate: &Gate<'_>, entropy: u64) -> Option<u16> {
    if pool.len() < 2 {
        return one(pool, gate, entropy);
    }
    let mut draw = entropy;
    for _ in 0..TRIES {
        let first = pool.position(below(draw, pool.total()));
        draw = mix(draw);
        // The second ticket is drawn with the first peer's share cut out.
        let (start, share) = pool.share(first);
        let ticket = below(draw, pool.total() - share);
        let ticket = if ticket < start {
            ticket
        } else {
            ticket + share
        };
        let second = pool.position(ticket);
        draw = mix(draw);
        let (left, right) = (pool.member(first)?, pool.member(second)?);
        let spread = mix(draw);
        match (gate.takes(left, draw), gate.takes(right, spread)) {
            (true, true) => return Some(lighter(gate, left, right)),
            (true, false) => return Some(left),
            (false, true) => return Some(right),
            (false, false) => draw = mix(spread),
        }
    }
    let left = scan(pool, gate, draw, None)?;
    let right = scan(pool, gate, mix(draw), Some(left));
    Some(right.map_or(left, |right| lighter(gate, left, right)))
}

/// The fewest requests in flight per weight, the present one included; ties go to the one found
/// first, and the scan starts anywhere.
pub(crate) fn least(pool: &Pool, gate: &Gate<'_>, entropy: u64) -> Option<u16> {
    let members = pool.members();
    let start = usize::try_from(below(entropy, members.len() as u64)).unwrap_or(0);
    let (late, early) = members.split_at_checked(start)?;
    let mut best: Option<(u64, u64, u16)> = None;
    for &peer in early.iter().chain(late) {
        if !gate.admits(peer) {
            continue;
        }
        let load = gate.load(peer) + 1;
        let weight = gate.weight(peer) * gate.share(peer);
        let better = best.is_none_or(|(least, of, _)| {
            u128::from(load) * u128::from(of) < u128::from(least) * u128::from(weight)
        });
        if better {
            best = Some((load, weight, peer));
        }
    }
    best.map(|(_, _, peer)| peer)
}

/// One by weight among those that may be taken: exact, but it visits them all. A slow start is
/// not looked at: a warm peer was not found, and a cold one is better than none.
fn scan(pool: &Pool, gate: &Gate<'_>, draw: u64, except: Option<u16>) -> Option<u16> {
    let open = |peer: &u16| Some(*peer) != except && gate.admits(*peer);
    let members = pool.members().iter().copied().filter(open);
    let total = members.clone().map(|peer| gate.weight(peer)).sum();
    let mut ticket = below(draw, total);
    // The set may change between the passes, so the last one seen stands in.
    let mut found = None;
    for peer in members {
        found = Some(peer);
        let weight = gate.weight(peer);
        if ticket < weight {
            break;
        }
        ticket -= weight;
    }
    found
}

fn lighter(gate: &Gate<'_>, left: u16, right: u16) -> u16 {
    let of_left = (gate.load(left) + 1) * gate.weight(right);
    let of_right = (gate.load(right) + 1) * gate.weight(left);
    if of_right < of_left { right } else { left }
}

/// Draws before the exact scan: with half of the peers down, 15 in 16 requests need no scan.
const TRIES: u32 = 4;
