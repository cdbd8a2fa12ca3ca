//! The states of a breaker and what moves it from one to another.

use std::time::Duration;

use super::{BreakerPolicy, Trip};
use crate::classify::Verdict;
use crate::hash::below;
use crate::time::Time;

/// The states of one breaker; everything that is not counting while closed.
#[derive(Clone, Debug)]
pub(crate) struct Breaker {
    state: State,
    /// Grows with every transition, so that a ticket of a state that has passed is known.
    epoch: u32,
    /// Openings that have not decayed: the `n` of `D(n)`.
    trips: u32,
}

#[derive(Clone, Debug)]
enum State {
    Closed {
        since: Time,
    },
    HalfOpen {
        leases: Vec<Lease>,
        /// Since when a slot has been free.
        free_since: Time,
        next: u32,
        successes: u32,
    },
    Open {
        until: Time,
    },
}

#[derive(Clone, Debug)]
struct Lease {
    id: u32,
    expires: Time,
}

/// The breaker's half of a pick.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Ticket {
    /// The epoch that admitted it.
    pub(crate) epoch: u32,
    /// The lease, when it is a probe.
    pub(crate) probe: Option<u32>,
}

/// What a breaker says to a probe.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Admission {
    /// It may go; the breaker was half-open already.
    Admitted(Ticket),
    /// It may go; the breaker became half-open.
    HalfOpened(Ticket),
    /// It may not.
    Refused,
    /// It may not: a lease had run out, so the breaker opened again.
    Reopened(Transition),
}

/// What an event changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Transition {
    /// It closed.
    Closed,
    /// It became half-open.
    HalfOpened,
    /// It opened.
    Opened {
        /// When probes may start.
        until: Time,
        /// What opened it.
        why: Trip,
    },
}

/// A state without its data.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Phase {
    Closed,
    HalfOpen,
    Open(Time),
}

impl Breaker {
    pub(crate) const fn new() -> Self {
        Self {
            state: State::Closed { since: Time::ZERO },
            epoch: 0,
            trips: 0,
        }
    }

    pub(crate) const fn epoch(&self) -> u32 {
        self.epoch
    }

    pub(crate) const fn phase(&self) -> Phase {
        match &self.state {
            State::Closed { .. } => Phase::Closed,
            State::HalfOpen { .. } => Phase::HalfOpen,
            State::Open { until } => Phase::Open(*until),
        }
    }

    /// When the next probe may be admitted; none while closed. May lie in the past.
    pub(crate) fn due(&self, policy: &BreakerPolicy) -> Option<Time> {
        match &self.state {
            State::Closed { .. } => None,
            State::HalfOpen {
                leases, free_since, ..
            } => Some(if has_slot(leases, policy) {
                *free_since
            } else {
                first_expiry(leases)
            }),
            State::Open { until } => Some(*until),
        }
    }

    /// Whether it is half-open with a slot that is free or was taken a moment ago.
    pub(crate) fn is_probed(&self, policy: &BreakerPolicy, now: Time) -> bool {
        let State::HalfOpen { leases, .. } = &self.state else {
            return false;
        };
        let young = |lease: &Lease| now + policy.probe_lease < lease.expires + MOMENT;
        has_slot(leases, policy) || leases.iter().any(young)
    }

    /// Opens a closed breaker; anything that is not of its present epoch is too late.
    pub(crate) fn trip(
        &mut self,
        why: Trip,
        epoch: u32,
        policy: &BreakerPolicy,
        now: Time,
        entropy: u64,
    ) -> Option<Transition> {
        match self.state {
            State::Closed { since } if epoch == self.epoch => {
                self.decay(now.since(since));
                Some(self.open(why, policy, now, entropy))
            }
            _ => None,
        }
    }

    /// Asks for a probe's slot.
    pub(crate) fn admit(&mut self, policy: &BreakerPolicy, now: Time, entropy: u64) -> Admission {
        let opened = match &self.state {
            State::Open { until } if *until <= now => Some(self.half_open(now)),
            _ => None,
        };
        let epoch = self.epoch;
        let State::HalfOpen {
            leases,
            free_since,
            next,
            ..
        } = &mut self.state
        else {
            return Admission::Refused;
        };
        if leases.iter().any(|lease| lease.expires <= now) {
            return Admission::Reopened(self.open(Trip::Lease, policy, now, entropy));
        }
        if !has_slot(leases, policy) {
            return Admission::Refused;
        }
        let id = *next;
        *next = next.wrapping_add(1);
        *free_since = now;
        leases.push(Lease {
            id,
            expires: now + policy.probe_lease,
        });
        let probe = Some(id);
        let ticket = Ticket { epoch, probe };
        match opened {
            Some(_) => Admission::HalfOpened(ticket),
            None => Admission::Admitted(ticket),
        }
    }

    /// Takes a probe's verdict and its slot back. A ticket that has passed changes nothing.
    pub(crate) fn settle(
        &mut self,
        ticket: Ticket,
        verdict: Verdict,
        policy: &BreakerPolicy,
        now: Time,
        entropy: u64,
    ) -> Option<Transition> {
        if ticket.epoch != self.epoch {
            return None;
        }
        let State::HalfOpen {
            leases, free_since, ..
        } = &mut self.state
        else {
            return None;
        };
        let at = leases
            .iter()
            .position(|lease| Some(lease.id) == ticket.probe)?;
        leases.swap_remove(at);
        *free_since = now;
        match verdict {
            Verdict::Neutral => None,
            Verdict::Succeed => self.succeeded(policy, now),
            // An overloaded peer has not recovered either.
            Verdict::ConnectFail | Verdict::Fail | Verdict::Overload { .. } | Verdict::RateFail => {
                Some(self.open(Trip::Probe, policy, now, entropy))
            }
        }
    }

    /// Takes a probe's slot back without a verdict.
    pub(crate) fn release(&mut self, ticket: Ticket) {
        if ticket.epoch == self.epoch
            && let State::HalfOpen { leases, .. } = &mut self.state
        {
            leases.retain(|lease| Some(lease.id) != ticket.probe);
        }
    }

    /// A health check passed: an open breaker lets probes through early. It never closes so, for
    /// a health check may pass where requests fail.
    pub(crate) fn check_passed(&mut self, now: Time) -> Option<Transition> {
        match self.state {
            State::Open { .. } => Some(self.half_open(now)),
            State::Closed { .. } | State::HalfOpen { .. } => None,
        }
    }

    /// The same for a peer whose tier is not in use: while half-open, checks are all the probes it
    /// gets, and a standby must not wait for the emergency to be tried out.
    pub(crate) fn idle_check_passed(
        &mut self,
        policy: &BreakerPolicy,
        now: Time,
    ) -> Option<Transition> {
        match self.state {
            State::HalfOpen { .. } => self.succeeded(policy, now),
            State::Closed { .. } | State::Open { .. } => self.check_passed(now),
        }
    }

    /// Frees every slot: the probes that held them report to nobody any more.
    pub(crate) fn forget_probes(&mut self) {
        if let State::HalfOpen { leases, .. } = &mut self.state {
            leases.clear();
        }
    }

    fn succeeded(&mut self, policy: &BreakerPolicy, now: Time) -> Option<Transition> {
        let State::HalfOpen { successes, .. } = &mut self.state else {
            return None;
        };
        *successes = successes.saturating_add(1);
        if *successes < policy.success_threshold {
            return None;
        }
        self.state = State::Closed { since: now };
        self.epoch = self.epoch.wrapping_add(1);
        Some(Transition::Closed)
    }

    fn half_open(&mut self, now: Time) -> Transition {
        self.state = State::HalfOpen {
            leases: Vec::new(),
            free_since: now,
            next: 0,
            successes: 0,
        };
        self.epoch = self.epoch.wrapping_add(1);
        Transition::HalfOpened
    }

    fn open(&mut self, why: Trip, policy: &BreakerPolicy, now: Time, entropy: u64) -> Transition {
        self.trips = self.trips.saturating_add(1);
        let until = now + open_time(self.trips, policy, entropy);
        self.state = State::Open { until };
        self.epoch = self.epoch.wrapping_add(1);
        Transition::Opened { until, why }
    }

    fn decay(&mut self, closed_for: Duration) {
        let steps = closed_for.as_secs() / DECAY.as_secs();
        self.trips = self
            .trips
            .saturating_sub(u32::try_from(steps).unwrap_or(u32::MAX));
    }
}

/// `D(n)`: doubles with each opening up to a ceiling, and up to half as much again, so that
/// several proxies do not probe together.
fn open_time(trips: u32, policy: &BreakerPolicy, entropy: u64) -> Duration {
    let doublings = trips.saturating_sub(1).min(MOST_DOUBLINGS);
    let base = policy
        .open_for
        .saturating_mul(1 << doublings)
        .min(policy.max_open.max(policy.open_for));
    let half = u64::try_from(base.as_micros() / 2).unwrap_or(u64::MAX);
    base.saturating_add(Duration::from_micros(below(
        entropy,
        half.saturating_add(1),
    )))
}

fn has_slot(leases: &[Lease], policy: &BreakerPolicy) -> bool {
    u32::try_from(leases.len()).is_ok_and(|held| held < policy.half_open_probes)
}

fn first_expiry(leases: &[Lease]) -> Time {
    leases
        .iter()
        .map(|lease| lease.expires)
        .min()
        .unwrap_or(Time::ZERO)
}

/// A probe that takes longer than this has found a peer that hangs: nobody waits for it.
const MOMENT: Duration = Duration::from_secs(2);
/// Closed for so long takes one opening back: a peer that flaps keeps its history.
const DECAY: Duration = Duration::from_secs(60);
/// Keeps the shift within 32 bits; any sensible ceiling is reached long before.
const MOST_DOUBLINGS: u32 = 30;
