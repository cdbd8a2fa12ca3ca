//! Everything the decisions of a group depend on, apart from its peers.

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
    /// Consistent hashing passes over a peer with more than this share, in percent, of its fair
    /// load (say 125); none: never. Local to this replica, so replicas may disagree under load.
    pub bounded_load: Option<u32>,
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
            bounded_load: None,
            local_region: None,
            region_fallback: Vec::new(),
        }
    }
}

impl GroupPolicy {
    /// The name of a field that is out of its range, if one is.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let retry = &self.retry;
        let backoff = &retry.backoff;
        let mut rules = vec![
            (self.min_healthy >= 1, "min_healthy"),
            (
                self.bounded_load.is_none_or(|share| share >= 100),
                "bounded_load",
            ),
            (
                self.health.unhealthy_threshold >= 1,
                "health.unhealthy_threshold",
            ),
            (
                self.health.healthy_threshold >= 1,
                "health.healthy_threshold",
            ),
            (retry.attempts >= 1, "retry.attempts"),
            (retry.hard_cap >= retry.attempts, "retry.hard_cap"),
            (retry.budget.percent <= 1_000, "retry.budget.percent"),
            (
                backoff.multiplier.is_finite() && backoff.multiplier >= 1.0,
                "retry.backoff.multiplier",
            ),
        ];
        if let Some(breaker) = &self.breaker {
            rules.extend([
                (breaker.failure_threshold >= 1, "breaker.failure_threshold"),
                (
                    breaker.connect_failure_threshold >= 1,
                    "breaker.connect_failure_threshold",
                ),
                (
                    (1..=100).contains(&breaker.failure_rate_percent),
                    "breaker.failure_rate_percent",
                ),
                (breaker.half_open_probes >= 1, "breaker.half_open_probes"),
                (breaker.success_threshold >= 1, "breaker.success_threshold"),
                (!breaker.window.is_zero(), "breaker.window"),
                (!breaker.open_for.is_zero(), "breaker.open_for"),
                (!breaker.probe_lease.is_zero(), "breaker.probe_lease"),
            ]);
        }
        match rules.into_iter().find(|(holds, _)| !holds) {
            Some((_, field)) => Err(field),
            None => Ok(()),
        }
    }
}
