//! Some of the peers of a group.

use std::fmt;

use crate::peer::PeerIndex;
use crate::sync::{AtomicU64, Ordering};

/// Some of the peers of a group, for requests that the others cannot serve. Shared by all threads;
/// whoever asks sees a change sooner or later, and never half of one.
pub struct PeerSet {
    words: Box<[AtomicU64]>,
}

impl PeerSet {
    /// All peers of a group of `peers`.
    pub fn all(peers: usize) -> Self {
        let word = |_| AtomicU64::new(u64::MAX);
        Self {
            words: (0..peers.div_ceil(BITS)).map(word).collect(),
        }
    }

    /// Puts a peer in.
    pub fn insert(&self, peer: PeerIndex) {
        if let Some((word, bit)) = self.place(peer) {
            word.fetch_or(bit, Ordering::Relaxed);
        }
    }

    /// Takes a peer out.
    pub fn remove(&self, peer: PeerIndex) {
        if let Some((word, bit)) = self.place(peer) {
            word.fetch_and(!bit, Ordering::Relaxed);
        }
    }

    /// Whether a peer is in it; one that the group does not have may or may not be.
    pub fn contains(&self, peer: PeerIndex) -> bool {
        self.place(peer)
            .is_some_and(|(word, bit)| word.load(Ordering::Relaxed) & bit != 0)
    }

    fn place(&self, peer: PeerIndex) -> Option<(&AtomicU64, u64)> {
        let at = usize::from(peer.0);
        self.words
            .get(at / BITS)
            .map(|word| (word, 1 << (at % BITS)))
    }
}

impl fmt::Debug for PeerSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.words.iter().map(|word| word.load(Ordering::Relaxed));
        f.debug_list().entries(words).finish()
    }
}

const BITS: usize = 64;

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests {
    use super::*;

    #[test]
    fn every_peer_is_in_until_it_is_taken_out() {
        for peers in [1_u16, 63, 64, 65, 200] {
            let set = PeerSet::all(usize::from(peers));
            let has = |peer: &u16| set.contains(PeerIndex(*peer));
            assert_eq!((0..peers).filter(has).count(), usize::from(peers));
            for peer in (0..peers).step_by(3) {
                set.remove(PeerIndex(peer));
            }
            for peer in 0..peers {
                assert_eq!(has(&peer), peer % 3 != 0, "{peer} of {peers}");
            }
            set.insert(PeerIndex(0));
            assert!(has(&0));
        }
    }

    #[test]
    fn a_peer_that_no_group_has_harms_nothing() {
        let set = PeerSet::all(3);
        set.remove(PeerIndex(u16::MAX));
        set.insert(PeerIndex(u16::MAX));
        assert!(!set.contains(PeerIndex(u16::MAX)));
        assert!(!PeerSet::all(0).contains(PeerIndex(0)));
    }
}
