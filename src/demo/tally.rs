//! What the caller has seen so far.

use std::collections::VecDeque;
use std::time::Duration;

use super::caller::Call;

/// What the caller has seen so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    calls: u64,
    failed: u64,
    failovers: u32,
    /// By server; in the order they were given.
    served: Vec<(String, u64)>,
    /// Who answered last.
    serving: Option<String>,
    /// Who served when it was killed, until another answers.
    lost: Option<String>,
    last_failure: Option<String>,
    recent: VecDeque<Duration>,
}

impl Tally {
    /// Nothing seen, of servers of these names.
    pub(super) fn new<'a>(servers: impl IntoIterator<Item = &'a str>) -> Self {
        let served = servers.into_iter().map(|name| (name.to_owned(), 0));
        Self {
            served: served.collect(),
            ..Self::default()
        }
    }

    /// Counts a call.
    pub(super) fn add(&mut self, call: Call) {
        self.calls += 1;
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(call.took);
        match call.answer {
            Err(why) => {
                self.failed += 1;
                self.last_failure = Some(why);
            }
            Ok(name) => {
                if let Some((_, count)) = self.served.iter_mut().find(|(known, _)| *known == name) {
                    *count += 1;
                }
                // An answer of the dead that was still under way is none of its successor.
                if self.lost.as_ref().is_some_and(|lost| *lost != name) {
                    self.lost = None;
                    self.failovers += 1;
                }
                self.serving = Some(name);
            }
        }
    }

    /// A server is killed: if it was the one that served, the next answer is a failover.
    pub(super) fn kill(&mut self, name: &str) {
        if self.serving.as_deref() == Some(name) {
            self.lost = Some(name.to_owned());
        }
    }

    /// Calls made.
    pub(super) fn calls(&self) -> u64 {
        self.calls
    }

    /// Calls that got no answer, or an error.
    pub(super) fn failed(&self) -> u64 {
        self.failed
    }

    /// What the last failed call was told.
    pub(super) fn last_failure(&self) -> Option<&str> {
        self.last_failure.as_deref()
    }

    /// How often a server took over from one that was killed.
    pub(super) fn failovers(&self) -> u32 {
        self.failovers
    }

    /// Who answered last.
    pub(super) fn serving(&self) -> Option<&str> {
        self.serving.as_deref()
    }

    /// How many calls a server answered.
    pub(super) fn served(&self, name: &str) -> u64 {
        let entry = self.served.iter().find(|(known, _)| known == name);
        entry.map_or(0, |(_, count)| *count)
    }

    /// The median and the 99th percentile of the last 2,000 calls.
    pub(super) fn latency(&self) -> (Duration, Duration) {
        let mut sorted: Vec<_> = self.recent.iter().copied().collect();
        sorted.sort_unstable();
        let at = |percent: usize| {
            // The nearest rank.
            let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
            sorted.get(rank).copied().unwrap_or_default()
        };
        (at(50), at(99))
    }

    /// One line for the end.
    pub(super) fn summary(&self) -> String {
        let (median, slow) = self.latency();
        let mut text = format!(
            "{} calls, {} failed, failed over {}x; p50 {:.1} ms, p99 {:.1} ms",
            self.calls,
            self.failed,
            self.failovers,
            millis(median),
            millis(slow),
        );
        if let Some(why) = &self.last_failure {
            text.push_str("; the last failure: ");
            text.push_str(why);
        }
        text
    }
}

/// For people, who read milliseconds.
pub(super) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// Some seconds of calls.
const RECENT: usize = 2_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn call(millis: u64, answer: Result<&str, &str>) -> Call {
        Call {
            took: Duration::from_millis(millis),
            answer: answer.map(str::to_owned).map_err(str::to_owned),
        }
    }

    #[test]
    fn calls_are_counted_by_who_answered() {
        let mut tally = Tally::new(["eu", "us"]);
        for answer in [Ok("eu"), Ok("eu"), Err("503"), Ok("us")] {
            tally.add(call(1, answer));
        }
        assert_eq!((tally.calls(), tally.failed()), (4, 1));
        assert_eq!((tally.served("eu"), tally.served("us")), (2, 1));
        assert_eq!(tally.serving(), Some("us"));
        assert_eq!(tally.last_failure(), Some("503"));
    }

    #[test]
    fn only_the_loss_of_who_serves_is_a_failover() {
        let mut tally = Tally::new(["eu", "us"]);
        tally.add(call(1, Ok("eu")));
        tally.kill("us");
        tally.add(call(1, Ok("eu")));
        assert_eq!(tally.failovers(), 0);
        tally.kill("eu");
        // It was answered before the kill.
        tally.add(call(1, Ok("eu")));
        assert_eq!(tally.failovers(), 0);
        tally.add(call(1, Ok("us")));
        tally.add(call(1, Ok("us")));
        assert_eq!(tally.failovers(), 1);
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let mut tally = Tally::default();
        assert_eq!(tally.latency(), (Duration::ZERO, Duration::ZERO));
        (1..=200).for_each(|n| tally.add(call(n, Ok("eu"))));
        let expected = (Duration::from_millis(100), Duration::from_millis(198));
        assert_eq!(tally.latency(), expected);
    }
}
