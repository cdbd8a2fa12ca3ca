//! Waiting for what the probe of a half-open breaker comes to.

use lb::{NoPeer, PinLoss, Time};
use std::time::Duration;

/// A request that no peer may take yet.
#[derive(Debug, Default)]
pub(crate) struct Wait {
    since: Option<Time>,
    pauses: u32,
}

impl Wait {
    /// How long until another look is worth it; none if waiting leads nowhere, or took long enough.
    ///
    /// A probe lasts one answer. Who does not wait for it fails although a peer has returned, or,
    /// pinned to that peer, makes its MCP session move.
    pub(crate) fn pause(&mut self, none: &NoPeer, now: Time) -> Option<Duration> {
        let near = matches!(
            none,
            NoPeer::AllOpen { probed: true, .. } | NoPeer::PinLost(_, PinLoss::HalfOpen)
        );
        let since = *self.since.get_or_insert(now);
        if !near || now.since(since) >= PATIENCE {
            return None;
        }
        let pause = SHORTEST.saturating_mul(1 << self.pauses);
        self.pauses = (self.pauses + 1).min(MOST_DOUBLINGS);
        Some(pause)
    }
}

/// Longer than this, no request waits.
const PATIENCE: Duration = Duration::from_secs(2);
/// Looks become fewer, for many may wait: up to 160 ms apart.
const SHORTEST: Duration = Duration::from_millis(10);
const MOST_DOUBLINGS: u32 = 4;
