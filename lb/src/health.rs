//! Rise and fall of the verdict of the health checks.

/// How many results in a row change a peer's health.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HealthPolicy {
    /// Failed checks in a row that make a peer unhealthy; at least 1.
    pub unhealthy_threshold: u32,
    /// Passed checks in a row that make it healthy again; at least 1.
    pub healthy_threshold: u32,
}

impl Default for HealthPolicy {
    fn default() -> Self {
        Self {
            unhealthy_threshold: 3,
            healthy_threshold: 2,
        }
    }
}
