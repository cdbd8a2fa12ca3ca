//! The three-state breaker of one peer.
//!
//! ```text
//! Closed ----- tally trips ------> Open(until = now + D(n))
//! Open ------- until passed, or a health check passed ---> HalfOpen
//! HalfOpen --- success_threshold successes ------> Closed, slow start; n decays later
//! HalfOpen --- a failure, or a lease runs out ---> Open(n + 1)
//! ```
//!
//! Open means no traffic, as in electricity. `tally` counts while closed, without a lock;
//! `machine` does the rest, under the group's.

mod machine;
mod tally;
#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests;

use std::time::Duration;

pub(crate) use machine::{Admission, Breaker, Phase, Ticket, Transition};
pub(crate) use tally::Tally;

/// The numbers of a breaker.
#[derive(Clone, Debug, PartialEq)]
pub struct BreakerPolicy {
    /// Consecutive gateway-class failures that open it; at least 1.
    pub failure_threshold: u32,
    /// Consecutive connect failures that open it; at least 1.
    pub connect_failure_threshold: u32,
    /// Share of failures within `window` that opens it, in percent 1 to 100.
    pub failure_rate_percent: u8,
    /// Outcomes within `window` below which the rate says nothing.
    pub min_requests: u32,
    /// Length of the rate window.
    pub window: Duration,
    /// How long the first opening lasts, before jitter.
    pub open_for: Duration,
    /// The longest an opening lasts, before jitter.
    pub max_open: Duration,
    /// Requests let through at a time while half-open; at least 1.
    pub half_open_probes: u32,
    /// Consecutive successes that close it again; at least 1.
    pub success_threshold: u32,
    /// How long a probe may take; one that takes longer counts as failed.
    pub probe_lease: Duration,
    /// How long traffic ramps from 10 to 100 % after closing; zero for none.
    pub slow_start: Duration,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self {
            failure_threshold: 5,
            connect_failure_threshold: 3,
            failure_rate_percent: 50,
            min_requests: 20,
            window: Duration::from_secs(10),
            open_for: Duration::from_secs(2),
            max_open: Duration::from_secs(60),
            half_open_probes: 1,
            success_threshold: 2,
            probe_lease: Duration::from_secs(30),
            slow_start: Duration::from_secs(10),
        }
    }
}

/// Why a breaker opened.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Trip {
    /// Connect failures in a row.
    Connect,
    /// Failures in a row.
    Consecutive,
    /// A probe took longer than its lease.
    Lease,
    /// A probe failed.
    Probe,
    /// The share of failures within the window.
    Rate,
}
