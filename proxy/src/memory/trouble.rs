//! What goes wrong between hosts that are both well.

use super::link::{Link, Side};
use super::network::MemoryNetwork;
use super::passage::Passage;
use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Poll, Waker};

/// How a connection is forgotten by one of its ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Forgotten {
    /// Whatever the other end writes is answered with a reset: a host that has started over.
    Resets,
    /// Whatever the other end writes vanishes, until its own host gives up: a middle box that lost
    /// its state.
    Swallows,
}

impl MemoryNetwork {
    /// How bytes pass from one host to another from now on, on connections that stand too.
    pub fn set_passage(&self, from: IpAddr, to: IpAddr, passage: Passage) {
        self.lock().passages.insert((from, to), passage);
        for (link, side) in self.between(from, to) {
            link.set_passage(side, passage);
        }
    }

    /// Nothing gets from one host to another any more: what is sent waits, and connecting takes
    /// both ways. Ends of streams are sent again and again; a reset is sent once, and then lost.
    pub fn sever(&self, from: IpAddr, to: IpAddr) {
        self.lock().severed.insert((from, to));
        for (link, side) in self.between(from, to) {
            link.set_held(side, true);
        }
    }

    /// Opens a way again: what waited arrives.
    pub fn heal(&self, from: IpAddr, to: IpAddr) {
        let mut shared = self.lock();
        shared.severed.remove(&(from, to));
        let waiting = std::mem::take(&mut shared.waiting);
        drop(shared);
        for (link, side) in self.between(from, to) {
            link.set_held(side, false);
        }
        waiting.into_iter().for_each(Waker::wake);
    }

    /// A host, which runs on, knows nothing any more of its connections to another; the other is
    /// not told.
    pub fn forget(&self, host: IpAddr, other: IpAddr, how: Forgotten) {
        for (link, side) in self.between(host, other) {
            link.forget(side, how == Forgotten::Swallows);
        }
    }

    /// The connections between two hosts, with the end that is `from`.
    fn between(&self, from: IpAddr, to: IpAddr) -> Vec<(Arc<Link>, Side)> {
        let mut links = self.lock().host(from).links();
        links.retain(|(link, side)| link.host(side.other()) == to);
        links
    }

    /// The time that a handshake takes, which is for ever if either way is cut.
    pub(super) async fn way(&self, host: IpAddr) {
        let (out, back) = ((self.source, host), (host, self.source));
        let latency = |way| self.lock().passage(way).latency;
        let trip = latency(out) + latency(back);
        if !trip.is_zero() {
            tokio::time::sleep(trip).await;
        }
        poll_fn(|cx| {
            let mut shared = self.lock();
            if shared.severed.contains(&out) || shared.severed.contains(&back) {
                shared.waiting.push(cx.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
    }
}
