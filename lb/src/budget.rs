//! The retry budget: what keeps retries from multiplying an outage.

/// How many charged retries a group may make.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BudgetPolicy {
    /// Retries per hundred requests, 0 to 1000.
    pub percent: u32,
    /// Retries that are always there: the larger of this and three times the peers.
    pub reserve: u32,
    /// Retries added each second, whatever the traffic.
    pub per_second: u32,
}

impl Default for BudgetPolicy {
    fn default() -> Self {
        Self {
            percent: 20,
            reserve: 10,
            per_second: 3,
        }
    }
}
