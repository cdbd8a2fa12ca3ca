//! How long to wait before another attempt.

use std::time::Duration;

use crate::hash::below;

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

impl Backoff {
    /// The wait before retry number `retry`, counted from 1.
    pub fn delay(&self, retry: u32, entropy: u64) -> Duration {
        let ceiling = self.ceiling(retry);
        match self.jitter {
            Jitter::Full => up_to(ceiling, entropy),
            Jitter::Equal => {
                let half = ceiling / 2;
                half.saturating_add(up_to(ceiling.saturating_sub(half), entropy))
            }
            Jitter::None => ceiling,
        }
    }

    fn ceiling(&self, retry: u32) -> Duration {
        let max = self.max.as_secs_f64();
        let mut ceiling = self.initial.as_secs_f64();
        for _ in 1..retry {
            ceiling *= self.multiplier;
            // Also ends the loop early for retry numbers beyond reason.
            if ceiling >= max {
                break;
            }
        }
        Duration::try_from_secs_f64(ceiling.min(max)).unwrap_or(self.max)
    }
}

/// Anything from zero to `ceiling`, both included, in whole microseconds.
pub(crate) fn up_to(ceiling: Duration, entropy: u64) -> Duration {
    let micros = u64::try_from(ceiling.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(below(entropy, micros.saturating_add(1)))
}
