//! Which tier is active: failover at once, failback with hold-down and damping.

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests;

use std::time::Duration;

use crate::hash::below;
use crate::time::Time;

/// When traffic returns to a better tier.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FailbackPolicy {
    /// By itself, or only when told.
    pub mode: FailbackMode,
    /// How long the better tier must have been available without a break.
    pub hold: Duration,
    /// Over how long traffic then moves from 10 to 100 %; zero for all at once.
    pub ramp: Duration,
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
            ramp: Duration::from_secs(30),
        }
    }
}

/// The tier in use, by position; 0 is the best.
///
/// Down at once, up slowly: a better tier is returned to when it has been available for the
/// hold-down, which doubles whenever a return did not last.
#[derive(Clone, Debug)]
pub(crate) struct Active {
    tier: usize,
    /// Since when each tier has been available.
    available: Vec<Option<Time>>,
    switched: Time,
    last_failback: Option<Time>,
    last_failover: Option<Time>,
    /// Returns in a row that did not last.
    flaps: u32,
    /// Extra hold-down, 0 to 20 %, in parts of 65536 of the whole.
    jitter: u16,
}

/// A change of the tier in use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Switch {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) kind: SwitchKind,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SwitchKind {
    /// The better tier held.
    Failback,
    /// The tier in use failed.
    Failover,
    /// An operator said so.
    Order,
}

impl Active {
    pub(crate) fn new(tiers: usize) -> Self {
        Self {
            tier: 0,
            available: vec![Some(Time::ZERO); tiers],
            switched: Time::ZERO,
            last_failback: None,
            last_failover: None,
            flaps: 0,
            jitter: 0,
        }
    }

    pub(crate) fn tier(&self) -> usize {
        self.tier
    }

    pub(crate) fn last_failover(&self) -> Option<Time> {
        self.last_failover
    }

    /// Takes what is available now, best tier first, and moves if that is due.
    pub(crate) fn update(
        &mut self,
        available: &[bool],
        policy: &FailbackPolicy,
        now: Time,
        entropy: u64,
    ) -> Option<Switch> {
        for (since, up) in self.available.iter_mut().zip(available) {
            *since = up.then(|| since.unwrap_or(now));
        }
        if self.is_available(self.tier) {
            let due = |tier: &usize| self.due(*tier, policy).is_some_and(|due| due <= now);
            let to = (0..self.tier).find(due)?;
            self.last_failback = Some(now);
            return Some(self.switch(to, SwitchKind::Failback, now));
        }
        let to = (0..self.available.len()).find(|tier| self.is_available(*tier))?;
        self.last_failover = Some(now);
        if to > self.tier {
            self.damp(now);
        }
        self.jitter = u16::try_from(below(entropy, MOST_JITTER)).unwrap_or(0);
        Some(self.switch(to, SwitchKind::Failover, now))
    }

    /// Returns to the best available tier now.
    pub(crate) fn order(&mut self, now: Time) -> Option<Switch> {
        let to = (0..self.tier).find(|tier| self.is_available(*tier))?;
        Some(self.switch(to, SwitchKind::Order, now))
    }

    /// When the next return is due, if nothing else happens.
    pub(crate) fn alarm(&self, policy: &FailbackPolicy) -> Option<Time> {
        (0..self.tier)
            .filter_map(|tier| self.due(tier, policy))
            .min()
    }

    /// Takes the history of another; `before` says for each tier where it was there.
    pub(crate) fn inherit(&mut self, old: &Self, before: &[Option<usize>]) {
        let tier = before.iter().position(|was| *was == Some(old.tier));
        self.tier = tier.unwrap_or(0);
        self.switched = old.switched;
        self.last_failback = old.last_failback;
        self.last_failover = old.last_failover;
        self.flaps = old.flaps;
        self.jitter = old.jitter;
        // A tier that was not there has its hold-down before it.
        for (since, was) in self.available.iter_mut().zip(before) {
            *since = was.and_then(|was| *old.available.get(was)?);
        }
    }

    fn due(&self, tier: usize, policy: &FailbackPolicy) -> Option<Time> {
        if policy.mode == FailbackMode::Manual {
            return None;
        }
        let since = (*self.available.get(tier)?)?;
        Some((since + self.hold(policy)).max(self.switched + DWELL))
    }

    fn hold(&self, policy: &FailbackPolicy) -> Duration {
        let longest = LONGEST_HOLD.max(policy.hold);
        let hold = policy.hold.saturating_mul(1 << self.flaps).min(longest);
        hold.saturating_add(hold.saturating_mul(u32::from(self.jitter)) / 65_536)
    }

    /// A return that did not last doubles the hold-down; time in peace takes that back.
    fn damp(&mut self, now: Time) {
        let Some(returned) = self.last_failback else {
            return;
        };
        let steps = now.since(returned).as_secs() / STABLE.as_secs();
        if steps == 0 {
            self.flaps = self.flaps.saturating_add(1).min(MOST_FLAPS);
        } else {
            let steps = u32::try_from(steps).unwrap_or(u32::MAX);
            self.flaps = self.flaps.saturating_sub(steps);
        }
    }

    fn switch(&mut self, to: usize, kind: SwitchKind, now: Time) -> Switch {
        let from = self.tier;
        self.tier = to;
        self.switched = now;
        Switch { from, to, kind }
    }

    fn is_available(&self, tier: usize) -> bool {
        self.available.get(tier).is_some_and(Option::is_some)
    }
}

/// A tier in use is kept at least so long while it works, whatever the hold-down says.
const DWELL: Duration = Duration::from_secs(10);
/// The doubling ends here, unless the configured hold-down is longer.
const LONGEST_HOLD: Duration = Duration::from_secs(600);
/// A return that lasts this long was right.
const STABLE: Duration = Duration::from_secs(600);
/// One second doubled so often is past the longest hold-down.
const MOST_FLAPS: u32 = 10;
/// A fifth, in parts of 65536: replicas do not return together.
const MOST_JITTER: u64 = 13_108;
