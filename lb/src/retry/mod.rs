//! Whether to try again: the policy, and the decision.

mod decide;
#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests;

use std::time::Duration;

use crate::backoff::Backoff;
use crate::budget::BudgetPolicy;

pub use decide::{Decision, Next, RetryFacts, Why};
pub(crate) use decide::{Judgement, judge};

/// The bounds of trying again.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    /// Attempts in all, the first included; at least 1.
    pub attempts: u32,
    /// Attempts in all, those that cost nothing included (stale connections); at least `attempts`.
    pub hard_cap: u32,
    /// No new attempt later than this after the first failure.
    pub window: Duration,
    /// Bounds one attempt up to its response head; none: only the group's timeouts do.
    pub per_try: Option<Duration>,
    /// Waits before an attempt that is not a plain connect failover.
    pub backoff: Backoff,
    /// How many charged retries the group may make.
    pub budget: BudgetPolicy,
    /// What is tried again.
    pub when: RetryOn,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 3,
            hard_cap: 5,
            window: Duration::from_secs(10),
            per_try: None,
            backoff: Backoff::default(),
            budget: BudgetPolicy::default(),
            when: RetryOn::default(),
        }
    }
}

/// What is tried again, provided it is safe.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RetryOn {
    /// No connection could be made, or the request was not sent for another reason.
    pub connect: bool,
    /// The connection ended, or garbage came, before a response head.
    pub reset: bool,
    /// No response head came in time.
    pub timeout: bool,
    /// Response statuses, ascending.
    pub statuses: Vec<u16>,
}

impl Default for RetryOn {
    fn default() -> Self {
        Self {
            connect: true,
            reset: true,
            timeout: true,
            statuses: vec![502, 503, 504],
        }
    }
}
