//! What happened in a group, for logs, metrics and the admin API.

use std::collections::VecDeque;

use super::Admin;
use crate::breaker::Trip;
use crate::peer::PeerIndex;
use crate::time::Time;

/// Something that happened in a group.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// An operator changed what a peer may do.
    AdminChanged {
        /// Which peer.
        peer: PeerIndex,
        /// What it may do now.
        to: Admin,
    },
    /// A peer works again.
    BreakerClosed {
        /// Which peer.
        peer: PeerIndex,
    },
    /// A peer is being tried out.
    BreakerHalfOpened {
        /// Which peer.
        peer: PeerIndex,
    },
    /// A peer gets no traffic.
    BreakerOpened {
        /// Which peer.
        peer: PeerIndex,
        /// Failures in a row that were counted.
        failures: u32,
        /// When it will be tried out.
        until: Time,
        /// What opened it.
        why: Trip,
    },
    /// A retry was refused for want of budget; the next such change follows after one was granted.
    BudgetExhausted,
    /// So many older changes were dropped, for nobody took them.
    Dropped(u64),
    /// No tier has a candidate, and health checks are to blame: their verdicts are ignored.
    PanicStarted,
    /// A peer is usable again.
    PanicEnded,
    /// Health checks say that a peer is up again.
    PeerHealthy {
        /// Which peer.
        peer: PeerIndex,
    },
    /// Health checks say that a peer is down.
    PeerUnhealthy {
        /// Which peer.
        peer: PeerIndex,
        /// How many checks in a row failed.
        failures: u32,
    },
    /// Another tier is in use; the numbers are priorities.
    TierChanged {
        /// The one used before.
        from: u32,
        /// The one used now.
        to: u32,
    },
}

/// Changes that nobody took yet; the oldest go first when there are too many.
#[derive(Debug, Default)]
pub(super) struct Changes {
    waiting: VecDeque<Change>,
    dropped: u64,
}

impl Changes {
    pub(super) fn push(&mut self, change: Change) {
        if self.waiting.len() >= MOST {
            self.waiting.pop_front();
            self.dropped += 1;
        }
        self.waiting.push_back(change);
    }

    pub(super) fn take(&mut self) -> Vec<Change> {
        let dropped = std::mem::take(&mut self.dropped);
        let first = (dropped > 0).then_some(Change::Dropped(dropped));
        first.into_iter().chain(self.waiting.drain(..)).collect()
    }
}

/// Some per peer of a large group, or minutes of a flapping one.
const MOST: usize = 1_024;
