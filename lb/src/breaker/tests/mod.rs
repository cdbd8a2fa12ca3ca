//! Tables of (time in milliseconds, event, expected).

mod machine;
mod tally;

use std::time::Duration;

use super::BreakerPolicy;
use crate::classify::Verdict;
use crate::time::Time;

fn policy() -> BreakerPolicy {
    BreakerPolicy::default()
}

fn at(millis: u64) -> Time {
    Time::from_millis(millis)
}

fn overload() -> Verdict {
    Verdict::Overload {
        cooldown: Duration::ZERO,
    }
}

const OK: Verdict = Verdict::Succeed;
const NEUTRAL: Verdict = Verdict::Neutral;
