//! The peers one request has tried.

use crate::peer::PeerIndex;

/// The peers one request has tried, in order. Up to eight need no allocation.
#[derive(Clone, Debug, Default)]
pub struct Tried {
    inline: [u16; INLINE],
    used: u8,
    more: Vec<u16>,
}

impl Tried {
    /// No peer tried yet.
    pub const fn new() -> Self {
        Self {
            inline: [0; INLINE],
            used: 0,
            more: Vec::new(),
        }
    }

    /// Adds a peer; one tried before becomes the last.
    pub fn insert(&mut self, peer: PeerIndex) {
        if self.last() == Some(peer) {
            return;
        }
        self.remove(peer);
        match self.inline.get_mut(usize::from(self.used)) {
            Some(free) if self.more.is_empty() => {
                *free = peer.0;
                self.used += 1;
            }
            _ => self.more.push(peer.0),
        }
    }

    /// Whether the peer was tried.
    pub fn contains(&self, peer: PeerIndex) -> bool {
        self.head().contains(&peer.0) || self.more.contains(&peer.0)
    }

    /// The peer tried last.
    pub fn last(&self) -> Option<PeerIndex> {
        let last = self.more.last().or_else(|| self.head().last());
        last.copied().map(PeerIndex)
    }

    /// How many peers were tried.
    pub fn len(&self) -> usize {
        self.head().len() + self.more.len()
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.used == 0 && self.more.is_empty()
    }

    fn head(&self) -> &[u16] {
        self.inline.get(..usize::from(self.used)).unwrap_or(&[])
    }

    fn remove(&mut self, peer: PeerIndex) {
        self.more.retain(|one| *one != peer.0);
        if let Some(at) = self.head().iter().position(|one| *one == peer.0) {
            let end = usize::from(self.used);
            self.inline.copy_within(at + 1..end, at);
            self.used -= 1;
        }
    }
}

/// More than the hard cap of attempts that anyone configures.
const INLINE: usize = 8;

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests {
    use super::*;

    #[test]
    fn it_holds_what_was_inserted_in_order_beyond_its_inline_places() {
        let mut tried = Tried::new();
        assert!(tried.is_empty());
        assert_eq!(tried.last(), None);
        for peer in 0..20 {
            assert!(!tried.contains(PeerIndex(peer)));
            tried.insert(PeerIndex(peer));
            tried.insert(PeerIndex(peer));
            assert!(tried.contains(PeerIndex(peer)));
            assert_eq!(tried.len(), usize::from(peer) + 1);
            assert_eq!(tried.last(), Some(PeerIndex(peer)));
        }
        assert!(!tried.is_empty());
    }

    #[test]
    fn a_peer_tried_again_becomes_the_last() {
        for again in [0, 3, 7, 8, 11] {
            let mut tried = Tried::new();
            (0..12).for_each(|peer| tried.insert(PeerIndex(peer)));
            tried.insert(PeerIndex(again));
            assert_eq!(tried.last(), Some(PeerIndex(again)), "{again}");
            assert_eq!(tried.len(), 12, "{again}");
            assert!(
                (0..12).all(|peer| tried.contains(PeerIndex(peer))),
                "{again}"
            );
        }
    }

    #[test]
    fn eight_peers_need_no_allocation() {
        let mut tried = Tried::new();
        (0..8).for_each(|peer| tried.insert(PeerIndex(peer)));
        assert_eq!(tried.more.capacity(), 0);
    }
}
