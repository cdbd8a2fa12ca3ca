//! Which tier is active: failover at once, failback with hold-down and damping.

use std::time::Duration;

/// When traffic returns to a better tier.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FailbackPolicy {
    /// By itself, or only when told.
    pub mode: FailbackMode,
    /// How long the better tier must have been available without a break.
    pub hold: Duration,
}

/// By itself, or only when told.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum FailbackMode {
    /// After the hold-down.
    #[default]
    Auto,
    /// When an operator says so, or when the tier in use fails too.
    Manual,
}

impl Default for FailbackPolicy {
    fn default() -> Self {
        Self {
            mode: FailbackMode::Auto,
            hold: Duration::from_secs(30),
        }
    }
}
