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

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests {
    use super::*;

    fn backoff(initial: u64, multiplier: f64, max: u64, jitter: Jitter) -> Backoff {
        Backoff {
            initial: Duration::from_millis(initial),
            multiplier,
            max: Duration::from_millis(max),
            jitter,
        }
    }

    #[test]
    fn waits_grow_to_their_ceiling() {
        let plain = backoff(25, 2.0, 250, Jitter::None);
        let rows = [
            (0, 25),
            (1, 25),
            (2, 50),
            (3, 100),
            (4, 200),
            (5, 250),
            (6, 250),
        ];
        for (retry, millis) in rows {
            let expected = Duration::from_millis(millis);
            assert_eq!(plain.delay(retry, 99), expected, "retry {retry}");
        }
        assert_eq!(plain.delay(u32::MAX, 0), Duration::from_millis(250));
    }

    #[test]
    fn jitter_spreads_below_the_ceiling() {
        // Retry 3 of 25 ms doubled: a ceiling of 100 ms.
        let rows = [
            (Jitter::Full, 0, 0),
            (Jitter::Full, 1 << 63, 50),
            (Jitter::Full, u64::MAX, 100),
            (Jitter::Equal, 0, 50),
            (Jitter::Equal, 1 << 63, 75),
            (Jitter::Equal, u64::MAX, 100),
            (Jitter::None, 0, 100),
            (Jitter::None, u64::MAX, 100),
        ];
        for (jitter, entropy, millis) in rows {
            let delay = backoff(25, 2.0, 250, jitter).delay(3, entropy);
            assert_eq!(delay, Duration::from_millis(millis), "{jitter:?} {entropy}");
        }
    }

    #[test]
    fn strange_numbers_do_no_harm() {
        let max = Duration::from_millis(250);
        assert_eq!(backoff(500, 2.0, 250, Jitter::None).delay(1, 0), max);
        assert_eq!(backoff(25, f64::MAX, 250, Jitter::None).delay(9, 0), max);
        assert_eq!(backoff(25, 1.0, 250, Jitter::None).delay(9, 0), max / 10);
        assert_eq!(
            backoff(0, 2.0, 250, Jitter::None).delay(9, 0),
            Duration::ZERO
        );
    }
}
