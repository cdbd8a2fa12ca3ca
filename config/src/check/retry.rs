//! `retry`.

use std::time::Duration;

use lb::{Backoff, BudgetPolicy, Jitter, RetryOn, RetryPolicy};
use proxy::settings::ToolRetry;

use super::duration;
use crate::file;
use crate::finding::{Finding, Findings};
use crate::problem::Code;
use crate::units::Bound;

pub(super) fn retry(
    retry: file::Retry,
    group: &str,
    found: &mut Findings,
) -> (RetryPolicy, ToolRetry) {
    let at = format!("{group}.retry");
    let default = RetryPolicy::default();
    let attempts = retry.attempts.unwrap_or(default.attempts);
    let hard_cap = retry
        .hard_cap
        .unwrap_or_else(|| default.hard_cap.max(attempts));
    if hard_cap < attempts {
        let finding = Finding::new(
            Code::Contradiction,
            &format!("{at}.hard_cap"),
            "`hard_cap` is less than `attempts`",
        );
        found.add(finding.label(format!("`attempts` is {attempts}")));
    }
    let per_try = retry.per_try.and_then(|bound| per_try(bound, &at, found));
    let policy = RetryPolicy {
        attempts,
        hard_cap,
        window: duration(
            retry.window,
            default.window,
            SHORTEST,
            &format!("{at}.window"),
            found,
        ),
        per_try,
        backoff: backoff(retry.backoff.unwrap_or_default(), &at, found),
        budget: budget(retry.budget),
        when: retry.when.map_or(default.when, |when| conditions(&when)),
    };
    let tools = match retry.tools {
        None | Some(file::Tools::Word(file::ToolsWord::Annotated)) => ToolRetry::Annotated,
        Some(file::Tools::Word(file::ToolsWord::Never)) => ToolRetry::Never,
        Some(file::Tools::Word(file::ToolsWord::Always)) => ToolRetry::Always,
        Some(file::Tools::Names(names)) => ToolRetry::Only(names),
    };
    (policy, tools)
}

/// The bound on one attempt.
pub(super) fn per_try(bound: Bound, at: &str, found: &mut Findings) -> Option<Duration> {
    if bound.0.is_some_and(|span| span < SHORTEST) {
        let finding = Finding::new(
            Code::OutOfRange,
            &format!("{at}.per_try"),
            "`per_try` is too short",
        );
        found.add(finding.label("at least 1ms, or `none`"));
    }
    bound.0
}

fn backoff(backoff: file::Backoff, at: &str, found: &mut Findings) -> Backoff {
    let default = Backoff::default();
    let initial = backoff.initial.map_or(default.initial, |span| span.0);
    // A long first wait alone is meant as it is written.
    let max = match backoff.max {
        Some(span) => span.0,
        None => default.max.max(initial),
    };
    if max < initial {
        let finding = Finding::new(
            Code::Contradiction,
            &format!("{at}.backoff.max"),
            "`max` is shorter than `initial`",
        );
        found.add(finding.label(format!("`initial` is {}", super::shown(initial))));
    }
    Backoff {
        initial,
        multiplier: backoff.multiplier.unwrap_or(default.multiplier),
        max,
        jitter: match backoff.jitter {
            None => default.jitter,
            Some(file::Jitter::Full) => Jitter::Full,
            Some(file::Jitter::Equal) => Jitter::Equal,
            Some(file::Jitter::None) => Jitter::None,
        },
    }
}

fn budget(budget: Option<file::Budget>) -> BudgetPolicy {
    let default = BudgetPolicy::default();
    match budget {
        None => default,
        Some(file::Budget::Percent(percent)) => BudgetPolicy {
            percent: percent.0,
            ..default
        },
        Some(file::Budget::Numbers(numbers)) => BudgetPolicy {
            percent: numbers.percent.map_or(default.percent, |percent| percent.0),
            reserve: numbers.reserve.unwrap_or(default.reserve),
            per_second: numbers.per_second.unwrap_or(default.per_second),
        },
    }
}

/// What is tried again.
pub(super) fn conditions(conditions: &[file::Condition]) -> RetryOn {
    let has = |when| {
        let mut conditions = conditions.iter();
        conditions.any(|condition| matches!(condition, file::Condition::When(is) if *is == when))
    };
    let mut statuses: Vec<u16> = conditions
        .iter()
        .filter_map(|condition| match condition {
            file::Condition::Status(status) => Some(*status),
            file::Condition::When(_) => None,
        })
        .collect();
    statuses.sort_unstable();
    statuses.dedup();
    RetryOn {
        connect: has(file::When::Connect),
        reset: has(file::When::Reset),
        timeout: has(file::When::Timeout),
        statuses,
    }
}

/// Below it nothing answers.
const SHORTEST: Duration = Duration::from_millis(1);
