//! The peers of one tier, or of one region in it, made ready for one strategy.

use super::{
    Gate,
    cycle::cycle,
    draw,
    rendezvous::{self, Named},
    ring::Ring,
};
use crate::hash::{hash64, mix};
use crate::peer::Peer;
use crate::strategy::Strategy;
use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// Peers to choose among. Those of weight zero are not in it.
#[derive(Debug)]
pub(crate) struct Pool {
    members: Box<[u16]>,
    plan: Plan,
    /// Ends of the members' shares of `total`; empty when all weights are equal.
    ends: Box<[u64]>,
    total: u64,
    cursor: Cursor,
    /// How many members are usable; kept by the group, so that a dead pool costs nothing.
    pub(crate) usable: AtomicU32,
}

/// Written by every pick, so on a cache line of its own.
#[derive(Debug)]
#[repr(align(128))]
struct Cursor(AtomicU64);

#[derive(Debug)]
enum Plan {
    Hash { keys: Box<[u64]>, even: Evenness },
    LeastConnections,
    PowerOfTwo,
    Random,
    Ring(Ring),
    Rotation,
    Turns(Box<[u16]>),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Evenness {
    Equal,
    Weighted,
}

/// What a choice depends on besides the peers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seed {
    /// The hash of the request's key.
    pub(crate) key: Option<u64>,
    pub(crate) entropy: u64,
    /// Consistent hashing: the most load a peer may have, in percent of its fair share.
    pub(crate) bound: Option<u32>,
}

impl Pool {
    pub(crate) fn new(members: &[u16], peers: &[Peer], strategy: Strategy) -> Self {
        let weight = |peer: u16| peers.get(usize::from(peer)).map_or(0, |peer| peer.weight);
        let weighed: Vec<(u16, u16)> = members
            .iter()
            .map(|&peer| (peer, weight(peer)))
            .filter(|&(_, weight)| weight > 0)
            .collect();
        let members: Box<[u16]> = weighed.iter().map(|&(peer, _)| peer).collect();
        let equal = weighed.windows(2).all(|two| two[0].1 == two[1].1);
        let even = if equal {
            Evenness::Equal
        } else {
            Evenness::Weighted
        };
        let plan = match strategy {
            Strategy::ConsistentHash => {
                let name = |peer: &Peer| hash64(peer.name.as_bytes());
                let key = |peer: &u16| peers.get(usize::from(*peer)).map_or(0, name);
                let keys: Box<[u64]> = members.iter().map(key).collect();
                if members.len() <= SMALL {
                    Plan::Hash { keys, even }
                } else {
                    Plan::Ring(Ring::new(&weighed, keys))
                }
            }
            Strategy::LeastConnections => Plan::LeastConnections,
            Strategy::PowerOfTwo => Plan::PowerOfTwo,
            Strategy::Random => Plan::Random,
            Strategy::Priority | Strategy::RoundRobin => Plan::Rotation,
            Strategy::WeightedRoundRobin => Plan::Turns(cycle(&weighed)),
        };
        let sum = |sum: &mut u64, &(_, weight): &(u16, u16)| {
            *sum += u64::from(weight);
            Some(*sum)
        };
        let ends: Box<[u64]> = weighed.iter().scan(0, sum).collect();
        let total = if equal {
            members.len() as u64
        } else {
            ends.last().copied().unwrap_or(0)
        };
        Self {
            usable: AtomicU32::new(u32::try_from(members.len()).unwrap_or(u32::MAX)),
            members,
            plan,
            ends: if equal { Box::default() } else { ends },
            total,
            cursor: Cursor(AtomicU64::new(0)),
        }
    }

    /// One that the gate lets through, if there is any.
    pub(crate) fn choose(&self, gate: &Gate<'_>, seed: Seed) -> Option<u16> {
        if self.members.is_empty() {
            return None;
        }
        match &self.plan {
            Plan::LeastConnections => draw::least(self, gate, seed.entropy),
            Plan::PowerOfTwo => draw::two(self, gate, seed.entropy),
            Plan::Random => draw::one(self, gate, seed.entropy),
            Plan::Rotation => self.rotate(&self.members, gate, seed.entropy),
            Plan::Turns(turns) => self.rotate(turns, gate, seed.entropy),
            Plan::Hash { keys, even } => {
                // Without a key there is nothing to be consistent with.
                let key = seed.key.unwrap_or(seed.entropy);
                let named = Named {
                    members: &self.members,
                    keys,
                    even: *even,
                };
                rendezvous::choose(named, gate, key, seed.bound)
            }
            Plan::Ring(ring) => {
                let key = seed.key.unwrap_or(seed.entropy);
                ring.choose(&self.members, gate, key, seed.bound)
            }
        }
    }

    pub(crate) fn members(&self) -> &[u16] {
        &self.members
    }

    pub(crate) fn member(&self, at: usize) -> Option<u16> {
        self.members.get(at).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// The sum of the shares of all members.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Whose share a ticket below `total` is in.
    pub(crate) fn position(&self, ticket: u64) -> usize {
        if self.ends.is_empty() {
            usize::try_from(ticket).unwrap_or(0)
        } else {
            self.ends.partition_point(|end| *end <= ticket)
        }
    }

    /// Where a member's share begins, and how large it is.
    pub(crate) fn share(&self, at: usize) -> (u64, u64) {
        match self.ends.get(at) {
            None => (at as u64, 1),
            Some(end) => {
                let before = at.checked_sub(1).and_then(|before| self.ends.get(before));
                let start = before.copied().unwrap_or(0);
                (start, end - start)
            }
        }
    }

    /// The next in the order. A peer that may not be taken hands its turn to the next turn of the
    /// shared order, not to its neighbour, so the others stay even. Retries stay off the shared
    /// order: in a group of two they would take every second turn of the one that works.
    fn rotate(&self, order: &[u16], gate: &Gate<'_>, entropy: u64) -> Option<u16> {
        let length = order.len() as u64;
        let turns = if gate.is_first() {
            length.min(TURNS)
        } else {
            0
        };
        for _ in 0..turns {
            let turn = self.cursor.0.fetch_add(1, Ordering::Relaxed);
            let at = usize::try_from(turn % length).unwrap_or(0);
            if let Some(&peer) = order.get(at)
                && gate.takes(peer, mix(entropy ^ turn))
            {
                return Some(peer);
            }
        }
        draw::one(self, gate, entropy)
    }
}

/// Up to so many peers every key is scored against every peer; above, a ring is faster.
const SMALL: usize = 64;
/// Turns that a request may take before it draws at random instead.
const TURNS: u64 = 64;
