//! A hash ring for large pools: each key belongs to the next point clockwise.
//!
//! A peer has points in proportion to its weight, so removing it moves only its own keys. An index
//! over the top bits of the hash makes a lookup constant on average.

use super::{
    Gate,
    pool::Evenness,
    rendezvous::{self, Limit, Named},
};
use crate::hash::{mix, pair};

/// The points of all peers, in order.
#[derive(Debug)]
pub(crate) struct Ring {
    hashes: Box<[u64]>,
    /// Whose the point is.
    owners: Box<[u16]>,
    /// For each value of the top bits, the first point that is not before it.
    index: Box<[u32]>,
    /// How far a hash is shifted to get its top bits.
    shift: u32,
    /// Hashes of the names of the peers.
    keys: Box<[u64]>,
}

impl Ring {
    /// `keys` are the hashes of the names of the peers in `weights`.
    pub(crate) fn new(weights: &[(u16, u16)], keys: Box<[u64]>) -> Self {
        let whole: u64 = weights.iter().map(|&(_, weight)| u64::from(weight)).sum();
        let mut halvings = 0;
        while (whole * POINTS) >> halvings > MOST {
            halvings += 1;
        }
        let mut points = Vec::new();
        for (&(peer, weight), &key) in weights.iter().zip(&keys) {
            let count = ((u64::from(weight) * POINTS) >> halvings).max(1);
            points.extend((0..count).map(|point| (mix(pair(key, point)), key, peer)));
        }
        // Of points with the same hash, the peer with the lesser key goes first, wherever it
        // stands in the configuration.
        points.sort_unstable();
        let bits = usize::BITS - points.len().leading_zeros();
        let shift = 64 - bits.clamp(1, 24);
        let mut index = Vec::new();
        let mut at = 0_usize;
        for top in 0..1_u64 << (64 - shift) {
            while points.get(at).is_some_and(|point| point.0 >> shift < top) {
                at += 1;
            }
            index.push(u32::try_from(at).unwrap_or(u32::MAX));
        }
        Self {
            hashes: points.iter().map(|point| point.0).collect(),
            owners: points.iter().map(|point| point.2).collect(),
            index: index.into_boxed_slice(),
            shift,
            keys,
        }
    }

    /// The owner of the key, or the owner of the next point that may be taken.
    pub(crate) fn choose(
        &self,
        members: &[u16],
        gate: &Gate<'_>,
        key: u64,
        bound: Option<u32>,
    ) -> Option<u16> {
        let key = mix(key);
        let limit = bound.map(|percent| Limit::new(members, gate, percent));
        let open = |peer| {
            gate.takes(peer, pair(key, u64::from(peer)))
                && limit.is_none_or(|limit| limit.allows(gate, peer))
        };
        let start = self.first(key);
        let (before, after) = self.owners.split_at_checked(start)?;
        let walk = after.iter().chain(before).take(WALK);
        let mut last = None;
        for &peer in walk {
            if last != Some(peer) && open(peer) {
                return Some(peer);
            }
            last = Some(peer);
        }
        // Next to nothing may be taken: scoring every peer ends the search, and every replica
        // that sees the same peers down agrees.
        let named = Named {
            members,
            keys: &self.keys,
            even: Evenness::Weighted,
        };
        rendezvous::choose(named, gate, key, bound)
    }

    /// The first point that is not before the key.
    fn first(&self, key: u64) -> usize {
        let top = usize::try_from(key >> self.shift).unwrap_or(0);
        let mut at = self.index.get(top).map_or(0, |at| *at as usize);
        while self.hashes.get(at).is_some_and(|hash| *hash < key) {
            at += 1;
        }
        at
    }
}

/// Points per unit of weight: shares within about a tenth of what they should be.
const POINTS: u64 = 160;
/// Points in all; above, every peer's are halved until they fit (10 MiB).
const MOST: u64 = 1 << 20;
/// Points to visit before all peers are scored instead.
const WALK: usize = 256;
