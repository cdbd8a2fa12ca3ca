//! The right to try one peer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Group;
use crate::breaker::Ticket;
use crate::classify::Verdict;
use crate::peer::PeerIndex;
use crate::peer_set::PeerSet;
use crate::sync::Ordering;
use crate::time::Time;
use crate::tried::Tried;

/// What a request asks of the selection.
#[derive(Clone, Copy, Debug)]
pub struct PickRequest<'a> {
    /// The hash of its key, for consistent hashing; see [`crate::hash64`].
    pub hash: Option<u64>,
    /// The only peer that will do.
    pub pin: Option<PeerIndex>,
    /// The region it wants; none, or one that no peer has: the proxy's own.
    pub region: Option<&'a str>,
    /// The only peers that can serve it; none: all can. Not even a pin or panic goes past it.
    pub serves: Option<&'a PeerSet>,
    /// Peers to avoid while there are others.
    pub tried: &'a Tried,
    /// Whether it may run twice. Such requests are preferred as probes.
    pub repeatable: bool,
    /// Whether the peer tried last should be tried again.
    pub retry_same: bool,
}

/// The right to try one peer.
///
/// The peer counts the request as in flight until this is dropped, so it is kept until the body
/// has ended. Dropped unsettled, it says nothing about the peer and frees a probe's slot.
pub struct Pick {
    pub(super) group: Arc<Group>,
    pub(super) peer: PeerIndex,
    pub(super) ticket: Ticket,
    pub(super) mood: Mood,
    pub(super) settled: Settled,
}

/// Whether health checks were ignored for a pick.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mood {
    Calm,
    Panic,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Settled {
    No,
    Yes,
}

/// Why there is no peer to try.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NoPeer {
    /// Breakers keep the rest out.
    AllOpen {
        /// How long until the first of them lets a request through.
        retry_after: Duration,
        /// One of them is half-open, and its probe has begun a moment ago: what that comes to is
        /// known soon, so the request may as well wait for it.
        probed: bool,
    },
    /// Every usable peer has as much in flight as it may.
    Busy,
    /// No peer of the group can serve such a request, usable or not.
    NoneServes,
    /// Operators or weights keep all out, or only health checks do and a peer was tried already.
    NoneUsable,
    /// The request is pinned to this peer, which cannot serve it.
    PinLost(PeerIndex, PinLoss),
}

/// Why a pinned peer cannot serve.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PinLoss {
    /// An operator took it out.
    Disabled,
    /// There is no such peer.
    Gone,
    /// Its breaker is half-open, and its probe has begun a moment ago: what that comes to is known
    /// soon.
    HalfOpen,
    /// Its breaker is open, or its probe hangs.
    Open,
    /// It cannot serve such a request.
    Unfit,
    /// Health checks say that it is down.
    Unhealthy,
}

impl Pick {
    /// The peer to try.
    pub fn peer(&self) -> PeerIndex {
        self.peer
    }

    /// The group it is of.
    pub fn group(&self) -> &Arc<Group> {
        &self.group
    }

    /// Whether the peer's breaker is half-open and waits for this verdict.
    pub fn is_probe(&self) -> bool {
        self.ticket.probe.is_some()
    }

    /// Whether health checks say that the peer is down, as they do of all: one attempt, no retry.
    pub fn is_panic(&self) -> bool {
        self.mood == Mood::Panic
    }

    /// The priority of the peer's tier.
    pub fn tier(&self) -> u32 {
        let peer = self.group.peers.get(usize::from(self.peer.0));
        peer.map_or(0, |peer| peer.priority)
    }

    /// Says how the attempt went, at the response head. Only the first time counts.
    pub fn settle(&mut self, verdict: Verdict, now: Time, entropy: u64) {
        if self.settled == Settled::No {
            self.settled = Settled::Yes;
            self.group
                .settled(self.peer, self.ticket, verdict, now, entropy);
        }
    }
}

impl Drop for Pick {
    fn drop(&mut self) {
        if let Some(slot) = self.group.slot(self.peer) {
            slot.lasting.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
        if self.settled == Settled::No && self.is_probe() {
            self.group.released(self.peer, self.ticket);
        }
    }
}

impl fmt::Debug for Pick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pick")
            .field("peer", &self.peer)
            .field("ticket", &self.ticket)
            .finish_non_exhaustive()
    }
}

impl Default for PickRequest<'_> {
    fn default() -> Self {
        Self {
            hash: None,
            pin: None,
            region: None,
            serves: None,
            tried: &NONE,
            repeatable: false,
            retry_same: false,
        }
    }
}

impl fmt::Display for NoPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllOpen { .. } => f.write_str("the breakers of all peers are open"),
            Self::Busy => f.write_str("all usable peers are full"),
            Self::NoneServes => f.write_str("no peer can serve such a request"),
            Self::NoneUsable => f.write_str("no peer is usable"),
            Self::PinLost(peer, loss) => {
                let why = match loss {
                    PinLoss::Disabled => "disabled",
                    PinLoss::Gone => "gone",
                    PinLoss::HalfOpen => "behind a half-open breaker",
                    PinLoss::Open => "behind an open breaker",
                    PinLoss::Unfit => "unable to serve it",
                    PinLoss::Unhealthy => "unhealthy",
                };
                write!(f, "peer {} of this session is {why}", peer.0)
            }
        }
    }
}

impl std::error::Error for NoPeer {}

pub(super) static NONE: Tried = Tried::new();
