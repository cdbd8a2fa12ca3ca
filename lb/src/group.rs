//! A named set of interchangeable peers, and what is known of each.

use crate::breaker::BreakerPolicy;
use crate::health::HealthPolicy;
use crate::retry::RetryPolicy;
use crate::strategy::Strategy;
use crate::tier::FailbackPolicy;

/// Everything a group's decisions depend on, apart from its peers.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupPolicy {
    /// How a peer is chosen inside the active tier.
    pub strategy: Strategy,
    /// A tier is available while at least this many of its peers are usable; at least 1.
    pub min_healthy: u32,
    /// When traffic returns to a better tier.
    pub failback: FailbackPolicy,
    /// The numbers of each peer's breaker; none: no breaker.
    pub breaker: Option<BreakerPolicy>,
    /// Rise and fall of the health checks.
    pub health: HealthPolicy,
    /// The bounds of trying again.
    pub retry: RetryPolicy,
    /// Requests in flight per peer above which it takes no more; 0 for no cap.
    pub max_in_flight: u32,
    /// Where this proxy is, for region order inside a tier.
    pub local_region: Option<String>,
    /// Regions to try after the wanted one, in this order; any other comes last.
    pub region_fallback: Vec<String>,
}

impl Default for GroupPolicy {
    fn default() -> Self {
        Self {
            strategy: Strategy::default(),
            min_healthy: 1,
            failback: FailbackPolicy::default(),
            breaker: Some(BreakerPolicy::default()),
            health: HealthPolicy::default(),
            retry: RetryPolicy::default(),
            max_in_flight: 0,
            local_region: None,
            region_fallback: Vec::new(),
        }
    }
}
