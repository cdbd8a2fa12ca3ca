//! `circuit_breaker`.

use std::time::Duration;

use lb::BreakerPolicy;

use super::duration;
use crate::file;
use crate::finding::{Finding, Findings};
use crate::problem::Code;

pub(super) fn breaker(
    breaker: Option<file::Breaker>,
    group: &str,
    found: &mut Findings,
) -> Option<BreakerPolicy> {
    let numbers = match breaker {
        None => file::BreakerNumbers::default(),
        Some(file::Breaker::Numbers(numbers)) => numbers,
        Some(file::Breaker::Absent(_)) => return None,
    };
    let at = format!("{group}.circuit_breaker");
    let default = BreakerPolicy::default();
    let rate = numbers.failure_rate.map(|rate| rate.0);
    if rate.is_some_and(|rate| !(1..=100).contains(&rate)) {
        let path = format!("{at}.failure_rate");
        let finding = Finding::new(Code::OutOfRange, &path, "`failure_rate` is out of range");
        found.add(finding.label("from 1% to 100%"));
    }
    let mut time = |key: &str, span, default, least| {
        duration(span, default, least, &format!("{at}.{key}"), found)
    };
    let policy = BreakerPolicy {
        failure_threshold: numbers
            .failure_threshold
            .unwrap_or(default.failure_threshold),
        connect_failure_threshold: numbers
            .connect_failure_threshold
            .unwrap_or(default.connect_failure_threshold),
        failure_rate_percent: rate
            .and_then(|rate| rate.try_into().ok())
            .unwrap_or(default.failure_rate_percent),
        min_requests: numbers.min_requests.unwrap_or(default.min_requests),
        window: time("window", numbers.window, default.window, WINDOW),
        open_for: time("open_for", numbers.open_for, default.open_for, SHORTEST),
        max_open: time("max_open", numbers.max_open, default.max_open, SHORTEST),
        half_open_probes: numbers.half_open_probes.unwrap_or(default.half_open_probes),
        success_threshold: numbers
            .success_threshold
            .unwrap_or(default.success_threshold),
        probe_lease: time(
            "probe_lease",
            numbers.probe_lease,
            default.probe_lease,
            SHORTEST,
        ),
        slow_start: time(
            "slow_start",
            numbers.slow_start,
            default.slow_start,
            Duration::ZERO,
        ),
    };
    if policy.open_for > policy.max_open {
        let given = if numbers.open_for.is_some() {
            "open_for"
        } else {
            "max_open"
        };
        let finding = Finding::new(
            Code::Contradiction,
            &format!("{at}.{given}"),
            "`open_for` is longer than `max_open`",
        );
        found.add(finding.label(format!(
            "`open_for` is {}, `max_open` {}",
            super::shown(policy.open_for),
            super::shown(policy.max_open)
        )));
    }
    Some(policy)
}

/// Below it a breaker opens and closes between two requests.
const SHORTEST: Duration = Duration::from_millis(1);

/// The window has ten slices, each at least as long as the coarse tick.
const WINDOW: Duration = Duration::from_secs(1);
