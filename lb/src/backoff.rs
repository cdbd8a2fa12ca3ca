//! How long to wait before another attempt.

use std::time::Duration;

/// Exponential waits with jitter.
#[derive(Clone, Debug, PartialEq)]
pub struct Backoff {
    /// The ceiling of the first wait.
    pub initial: Duration,
    /// By how much the ceiling grows with each attempt; at least 1.
    pub multiplier: f64,
    /// The highest ceiling.
    pub max: Duration,
    /// How the wait is drawn below its ceiling.
    pub jitter: Jitter,
}

/// How a wait is drawn below its ceiling.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Jitter {
    /// Anything from zero to the ceiling. The default: it spreads a storm best.
    #[default]
    Full,
    /// Half the ceiling, and anything from zero to the other half.
    Equal,
    /// The ceiling itself.
    None,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            initial: Duration::from_millis(25),
            multiplier: 2.0,
            max: Duration::from_millis(250),
            jitter: Jitter::Full,
        }
    }
}
