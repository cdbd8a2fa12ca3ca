//! Connections that wait for requests, per thread and per peer: no locks, last in first out.

use super::connection::Connection;
use super::h2::{Dials, SharedPool};
use crate::group::Peer;
use crate::settings::HttpVersion;
use lb::Time;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// The idle connections of one thread.
pub(crate) struct Pools<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> {
    /// By the process-wide number of the peer.
    peers: RefCell<Vec<Vec<Idle<S>>>>,
    /// Those that serve many requests at once.
    pub(crate) shared: SharedPool,
}

struct Idle<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> {
    connection: Connection<S>,
    until: Time,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Pools<S> {
    pub(crate) fn new() -> Self {
        Self {
            peers: RefCell::new(Vec::new()),
            shared: SharedPool::default(),
        }
    }

    /// Who connects to a peer whose connections are shared.
    pub(crate) fn dials(&self, peer: &Peer) -> Option<Rc<Dials>> {
        if peer.http_version == HttpVersion::Http2 {
            self.shared.learn(peer.number, true);
        }
        self.shared.dials(peer.number)
    }

    /// The connection that was used last and still stands.
    pub(crate) fn take(&self, peer: usize, now: Time) -> Option<Connection<S>> {
        loop {
            // The borrow ends before the connection is looked at: polling it may wake or drop.
            let idle = self.peers.borrow_mut().get_mut(peer)?.pop()?;
            let mut connection = idle.connection;
            if idle.until > now && connection.is_usable() {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection for `keep`, unless there are `most` of its peer already.
    pub(crate) fn put(
        &self,
        peer: usize,
        connection: Connection<S>,
        now: Time,
        keep: Duration,
        most: usize,
    ) {
        let mut peers = self.peers.borrow_mut();
        if peers.len() <= peer {
            peers.resize_with(peer + 1, Vec::new);
        }
        if let Some(idle) = peers.get_mut(peer)
            && idle.len() < most
        {
            idle.push(Idle {
                connection,
                until: now + keep,
            });
        }
    }

    /// Closes what has been idle too long, or has been closed by its peer.
    pub(crate) fn sweep(&self, now: Time) {
        self.shared.sweep(now);
        let count = self.peers.borrow().len();
        for peer in 0..count {
            let all = self.peers.borrow_mut().get_mut(peer).map(std::mem::take);
            let kept: Vec<_> = all
                .into_iter()
                .flatten()
                .filter_map(|mut idle| {
                    (idle.until > now && idle.connection.is_usable()).then_some(idle)
                })
                .collect();
            if let Some(slot) = self.peers.borrow_mut().get_mut(peer) {
                slot.splice(0..0, kept);
            }
        }
    }

    /// Closes the idle connections of one peer.
    pub(crate) fn close(&self, peer: usize) {
        self.shared.close(peer);
        let all = self.peers.borrow_mut().get_mut(peer).map(std::mem::take);
        drop(all);
    }

    /// Closes every idle connection.
    pub(crate) fn clear(&self) {
        self.shared.clear();
        let all = std::mem::take(&mut *self.peers.borrow_mut());
        drop(all);
    }

    /// How many are idle.
    pub(crate) fn len(&self) -> usize {
        self.peers.borrow().iter().map(Vec::len).sum()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> fmt::Debug for Pools<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pools").field("idle", &self.len()).finish()
    }
}
