//! How tunnels end, and the account of it.

use crate::group::Group;
use crate::metrics::Counter;
use crate::session::End;
use std::sync::Arc;

/// How a tunnel ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ended {
    /// The client broke its connection, or the proxy closed that.
    Client,
    /// Both ends ended in order.
    Complete,
    /// The peer, or the server, left and there was no more time.
    Drained,
    /// Nothing moved for too long.
    Idle,
    /// Its peer was declared lost, or taken out.
    Lost,
    /// The peer broke its connection.
    Peer,
}

impl Ended {
    /// As the report of the request has it.
    pub(super) fn end(self) -> End {
        match self {
            Self::Client => End::Cancelled,
            Self::Complete => End::Complete,
            Self::Drained => End::Drained,
            Self::Idle => End::Idle,
            Self::Lost => End::Lost,
            Self::Peer => End::Cut,
        }
    }
}

/// An open tunnel in the numbers of its group; its drop counts how it ended.
#[derive(Debug)]
pub(super) struct Counted {
    group: Option<Arc<Group>>,
    pub(super) ended: Ended,
}

impl Counted {
    pub(super) fn new(group: Option<&Arc<Group>>) -> Self {
        if let Some(group) = group {
            group.metrics.tunnels.active.increment();
        }
        Self {
            group: group.cloned(),
            // Until it is known better: whoever drops it early has no client any more.
            ended: Ended::Client,
        }
    }

    /// Counts bytes from the client, and to it.
    pub(super) fn moved(&self, up: u64, down: u64) {
        let Some(group) = &self.group else { return };
        let tunnels = &group.metrics.tunnels;
        for (counter, bytes) in [(&tunnels.sent, up), (&tunnels.received, down)] {
            if bytes > 0 {
                counter.add(bytes);
            }
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let Some(group) = &self.group else { return };
        let tunnels = &group.metrics.tunnels;
        tunnels.active.decrement();
        let counter: &Counter = match self.ended {
            Ended::Client => &tunnels.client,
            Ended::Complete => &tunnels.complete,
            Ended::Drained => &tunnels.drained,
            Ended::Idle => &tunnels.idle,
            Ended::Lost => &tunnels.lost,
            Ended::Peer => &tunnels.peer,
        };
        counter.increment();
    }
}
