//! What is counted of MCP, beside what is counted of any request.

use super::Method;
use crate::metrics::{Counter, Durations};
use std::time::Duration;

/// Why an MCP session had to move.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Loss {
    /// No connection to its peer, or no TLS session on it.
    Connect,
    /// Its peer cut a stream that had begun.
    Cut,
    /// Its peer does not know it any more.
    Forgotten,
    /// Its peer broke the connection before it answered.
    Reset,
    /// Its peer did not answer in time.
    Timeout,
    /// Its peer is out of service, or no longer in the group.
    Unusable,
}

/// A number for each way in which MCP sessions lose their peers.
#[derive(Debug, Default)]
pub struct ByLoss([Counter; Loss::ALL.len()]);

/// MCP sessions that lost their peer.
#[derive(Debug)]
pub struct MigrationMetrics {
    /// Moved to another peer, or made anew on their own.
    pub moved: ByLoss,
    /// Refused by a peer, because of the credential of the request that would have moved them.
    pub denied: ByLoss,
    /// Could not be moved.
    pub failed: ByLoss,
    /// Requests refused because a legacy stream had too many without an answer.
    pub crowded: Counter,
    /// Messages of clients that belonged to a server that is gone: taken and dropped.
    pub dropped: Counter,
    /// From the loss to the new place.
    pub duration: Durations,
}

/// MCP sessions of a group.
#[derive(Debug)]
pub struct SessionMetrics {
    /// Requests on one that its client had ended: 404.
    pub refused_ended: Counter,
    /// Requests on one that was not made here, or that is somebody else's: 404.
    pub refused_unknown: Counter,
    /// From `initialize` to the DELETE of their client; the others end unseen.
    pub duration: Durations,
}

/// MCP sessions of a peer. What is open is what was opened or came, less what ended or left, and
/// less what clients have let go without a word.
#[derive(Debug, Default)]
pub struct PeerSessionMetrics {
    /// Made by `initialize`.
    pub opened: Counter,
    /// Ended by their client.
    pub ended: Counter,
    /// Moved here from another peer, or made anew here.
    pub came: Counter,
    /// Moved away, or made anew.
    pub left: Counter,
}

/// How long messages took, by method.
#[derive(Debug)]
pub struct OperationMetrics([Durations; Method::COUNT]);

impl Loss {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Connect,
        Self::Cut,
        Self::Forgotten,
        Self::Reset,
        Self::Timeout,
        Self::Unusable,
    ];

    /// Its name in metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Cut => "cut",
            Self::Forgotten => "forgotten",
            Self::Reset => "reset",
            Self::Timeout => "timeout",
            Self::Unusable => "unusable",
        }
    }
}

impl ByLoss {
    /// Adds one.
    pub fn increment(&self, loss: Loss) {
        if let Some(counter) = self.0.get(loss as usize) {
            counter.increment();
        }
    }

    /// Each with its number.
    pub fn each(&self) -> impl Iterator<Item = (Loss, u64)> {
        let counts = self.0.iter().map(Counter::get);
        Loss::ALL.into_iter().zip(counts)
    }

    /// All of them together.
    pub fn get(&self) -> u64 {
        self.0.iter().map(Counter::get).sum()
    }
}

impl OperationMetrics {
    /// Counts a message.
    pub fn observe(&self, method: Method, took: Duration) {
        if let Some(durations) = self.0.get(method as usize) {
            durations.observe(took);
        }
    }

    /// Each method with its durations.
    pub fn each(&self) -> impl Iterator<Item = (Method, &Durations)> {
        Method::all().zip(&self.0)
    }
}

impl Default for MigrationMetrics {
    fn default() -> Self {
        Self {
            moved: ByLoss::default(),
            denied: ByLoss::default(),
            failed: ByLoss::default(),
            crowded: Counter::default(),
            dropped: Counter::default(),
            duration: Durations::within(BOUNDS),
        }
    }
}

impl Default for SessionMetrics {
    fn default() -> Self {
        Self {
            refused_ended: Counter::default(),
            refused_unknown: Counter::default(),
            duration: Durations::within(BOUNDS),
        }
    }
}

impl Default for OperationMetrics {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Durations::within(BOUNDS)))
    }
}

/// Upper bounds in microseconds: 10 ms to 5 min, as OpenTelemetry's `mcp.server.operation.duration`.
const BOUNDS: &[u64; 14] = &[
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    120_000_000,
    300_000_000,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_has_durations_of_its_own() {
        let metrics = OperationMetrics::default();
        for (count, method) in (1..).zip(Method::all()) {
            for _ in 0..count {
                metrics.observe(method, Duration::from_millis(15));
            }
        }
        for (count, (method, durations)) in (1..).zip(metrics.each()) {
            assert_eq!(durations.buckets()[1], count, "{method:?}");
        }
    }

    #[test]
    fn every_loss_has_a_number_of_its_own() {
        let losses = ByLoss::default();
        losses.increment(Loss::Reset);
        losses.increment(Loss::Unusable);
        losses.increment(Loss::Unusable);
        let counts: Vec<u64> = losses.each().map(|(_, count)| count).collect();
        assert_eq!(counts, [0, 0, 0, 1, 0, 2]);
        assert_eq!(losses.get(), 3);
    }
}
