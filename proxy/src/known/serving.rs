//! Which peers of a group serve which era.

use super::{Eras, Known, Serves};
use crate::mcp::Era;
use lb::{PeerIndex, PeerSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Which peers of a group serve which era, ready for selection.
#[derive(Debug)]
pub(crate) struct Serving {
    known: Box<[Arc<Known>]>,
    legacy: Side,
    modern: Side,
    /// Every peer was asked, or nobody waits for that any more.
    asked: AtomicBool,
    told: Notify,
    /// Held while the sides are worked out anew.
    learning: Mutex<()>,
}

/// The peers that serve one era, or may.
#[derive(Debug)]
struct Side {
    peers: PeerSet,
    /// Some peers do and some do not: only then there is something to choose.
    splits: AtomicBool,
}

impl Serving {
    pub(crate) fn new(known: Box<[Arc<Known>]>) -> Self {
        let side = || Side {
            peers: PeerSet::all(known.len()),
            splits: AtomicBool::new(false),
        };
        let serving = Self {
            legacy: side(),
            modern: side(),
            asked: AtomicBool::new(false),
            told: Notify::new(),
            learning: Mutex::new(()),
            known,
        };
        serving.work_out();
        serving
    }

    /// The only peers for requests of this era; none: all will do.
    ///
    /// Where no peer serves the era there is nothing to choose either: a peer's own refusal is then
    /// the honest answer.
    pub(crate) fn only(&self, era: Era) -> Option<&PeerSet> {
        let side = self.side(era);
        side.splits.load(Ordering::Relaxed).then_some(&side.peers)
    }

    /// What a peer was found to speak.
    pub(crate) fn learn(&self, peer: PeerIndex, eras: Eras) {
        if let Some(known) = self.known.get(usize::from(peer.0)) {
            known.set_eras(eras);
            self.work_out();
        }
    }

    /// A peer was asked what it speaks, whatever came of it.
    pub(crate) fn asked(&self, peer: PeerIndex) {
        if let Some(known) = self.known.get(usize::from(peer.0))
            && !known.asked.swap(true, Ordering::Relaxed)
        {
            self.work_out();
        }
    }

    /// Waits until every peer was asked what it speaks; once, and no longer than `most`.
    pub(crate) async fn acquainted(&self, most: Duration) {
        if self.asked.load(Ordering::Acquire) {
            return;
        }
        let mut told = std::pin::pin!(self.told.notified());
        told.as_mut().enable();
        if self.asked.load(Ordering::Acquire) {
            return;
        }
        if tokio::time::timeout(most, told).await.is_err() {
            // A peer that does not say in time will not be waited for again.
            self.over();
        }
    }

    fn over(&self) {
        self.asked.store(true, Ordering::Release);
        self.told.notify_waiters();
    }

    fn work_out(&self) {
        // The lock guards no data; the order of two calls is all it is for.
        let learning = self.learning.lock();
        let _learning = learning.unwrap_or_else(PoisonError::into_inner);
        for era in [Era::Legacy, Era::Modern] {
            let side = self.side(era);
            let (mut inside, mut outside) = (false, false);
            for (at, known) in (0..).map(PeerIndex).zip(&self.known) {
                if known.eras().serves(era) == Serves::No {
                    side.peers.remove(at);
                    outside = true;
                } else {
                    side.peers.insert(at);
                    inside = true;
                }
            }
            side.splits.store(inside && outside, Ordering::Relaxed);
        }
        let asked = |known: &Arc<Known>| known.asked.load(Ordering::Relaxed);
        if self.known.iter().all(asked) && !self.asked.load(Ordering::Relaxed) {
            self.over();
        }
    }

    fn side(&self, era: Era) -> &Side {
        match era {
            Era::Legacy => &self.legacy,
            Era::Modern => &self.modern,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Serves::{No, Unknown, Yes};

    fn known(legacy: Serves, modern: Serves) -> Arc<Known> {
        let known = Known::default();
        let eras = Eras::default().with(Era::Legacy, legacy);
        known.set_eras(eras.with(Era::Modern, modern));
        Arc::new(known)
    }

    /// The peers that requests of an era may go to; none: all.
    fn only(peers: &[Arc<Known>], era: Era) -> Option<Vec<u16>> {
        let serving = Serving::new(peers.into());
        let set = serving.only(era)?;
        let peers =
            (0..u16::try_from(peers.len()).unwrap()).filter(|at| set.contains(PeerIndex(*at)));
        Some(peers.collect())
    }

    #[test]
    fn rule_25_requests_go_to_peers_that_serve_their_era_or_may() {
        for (peers, legacy, modern) in [
            (
                vec![known(Yes, No), known(No, Yes)],
                Some(vec![0]),
                Some(vec![1]),
            ),
            (vec![known(Yes, Yes), known(No, Yes)], Some(vec![0]), None),
            (
                vec![known(Yes, Unknown), known(No, Yes)],
                Some(vec![0]),
                None,
            ),
            (
                vec![known(Unknown, Unknown), known(Yes, No)],
                None,
                Some(vec![0]),
            ),
            // Nobody serves it: the peers' own refusal is the answer.
            (vec![known(Yes, No), known(Yes, No)], None, None),
            (vec![known(Unknown, Unknown)], None, None),
        ] {
            assert_eq!(only(&peers, Era::Legacy), legacy, "{peers:?}");
            assert_eq!(only(&peers, Era::Modern), modern, "{peers:?}");
        }
    }

    #[test]
    fn a_peer_that_speaks_anew_is_chosen_anew() {
        let peers = [known(Yes, No), known(Yes, Yes)];
        let serving = Serving::new(peers.clone().into());
        assert!(serving.only(Era::Modern).is_some());
        let both = peers[0].eras().with(Era::Modern, Yes);
        serving.learn(PeerIndex(0), both);
        assert!(serving.only(Era::Modern).is_none());
        serving.learn(PeerIndex(1), both.with(Era::Legacy, No));
        let set = serving.only(Era::Legacy).unwrap();
        assert!(set.contains(PeerIndex(0)) && !set.contains(PeerIndex(1)));
    }
}
