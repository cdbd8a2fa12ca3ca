//! The HTTP/2 connections of one thread: shared while they stand.

use super::dials::Dials;
use super::exchange::Exchange;
use super::shared::Shared;
use lb::Time;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// The HTTP/2 connections of one thread, by the process-wide number of the peer.
#[derive(Default)]
pub(crate) struct SharedPool(RefCell<Vec<Peer>>);

#[derive(Default)]
struct Peer {
    open: Vec<Shared>,
    keep: Duration,
    /// Who connects; there once the peer is known to speak HTTP/2.
    dials: Option<Rc<Dials>>,
}

impl SharedPool {
    /// A place for one request on a connection that stands.
    pub(crate) fn lease(&self, peer: usize) -> Option<Exchange> {
        let peers = self.0.borrow();
        peers.get(peer)?.open.iter().find_map(Shared::lease)
    }

    /// Who connects to a peer that speaks HTTP/2.
    pub(crate) fn dials(&self, peer: usize) -> Option<Rc<Dials>> {
        self.0.borrow().get(peer)?.dials.clone()
    }

    /// Whether the peer speaks HTTP/2, as far as is known.
    pub(crate) fn learn(&self, peer: usize, speaks: bool) {
        let mut peers = self.0.borrow_mut();
        if peers.len() <= peer {
            if !speaks {
                return;
            }
            peers.resize_with(peer + 1, Peer::default);
        }
        if let Some(peer) = peers.get_mut(peer) {
            if !speaks {
                if let Some(dials) = peer.dials.take() {
                    // Whoever waits needs a connection of its own.
                    dials.made(1);
                }
            } else if peer.dials.is_none() {
                peer.dials = Some(Rc::default());
            }
        }
    }

    /// Shares a connection until it has been idle for `keep`, unless there are `most` of its peer
    /// already.
    pub(crate) fn put(&self, peer: usize, connection: Shared, keep: Duration, most: usize) {
        self.learn(peer, true);
        if let Some(peer) = self.0.borrow_mut().get_mut(peer) {
            peer.keep = keep;
            peer.open.retain(Shared::is_open);
            let shares = peer.open.len() < most;
            if let Some(dials) = &peer.dials {
                dials.made(if shares { connection.streams() } else { 1 });
            }
            if shares {
                peer.open.push(connection);
            }
        }
    }

    /// Lets go of what has been idle too long, or has ended.
    pub(crate) fn sweep(&self, now: Time) {
        for peer in self.0.borrow_mut().iter_mut() {
            let keep = peer.keep;
            peer.open
                .retain(|shared| shared.is_open() && !shared.is_idle(now, keep));
        }
    }

    /// Lets go of the connections of one peer; each ends with its last request.
    pub(crate) fn close(&self, peer: usize) {
        if let Some(peer) = self.0.borrow_mut().get_mut(peer) {
            peer.open.clear();
        }
    }

    /// Lets go of every connection; each ends with its last request.
    pub(crate) fn clear(&self) {
        self.0.borrow_mut().clear();
    }

    /// How many are shared.
    pub(crate) fn len(&self) -> usize {
        self.0.borrow().iter().map(|peer| peer.open.len()).sum()
    }
}

impl fmt::Debug for SharedPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedPool")
            .field("open", &self.len())
            .finish()
    }
}
