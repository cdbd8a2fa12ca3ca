//! The retry budget: what keeps retries from multiplying an outage.
//!
//! A sliding window of ten seconds: each request adds its share, each second adds a little, each
//! charged retry takes one, and what is ten seconds old is forgotten, deposits and charges alike.

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests;

use crate::sync::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use crate::time::Time;

/// How many charged retries a group may make.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BudgetPolicy {
    /// Retries per hundred requests, 0 to 1000.
    pub percent: u32,
    /// Retries that are always there: the larger of this and three times the peers.
    pub reserve: u32,
    /// Retries added each second, whatever the traffic.
    pub per_second: u32,
}

impl Default for BudgetPolicy {
    fn default() -> Self {
        Self {
            percent: 20,
            reserve: 10,
            per_second: 3,
        }
    }
}

/// The tokens of one group, in thousandths.
///
/// `balance` is always the reserve plus the sum of the slots, except for a moment inside a call.
#[derive(Debug)]
pub(crate) struct Budget {
    balance: AtomicI64,
    /// What each second of the window added less what it took.
    slots: [AtomicI64; SECONDS],
    /// The last second that was begun; `NONE` before the first.
    second: AtomicU64,
    /// Whether a thread is beginning a second.
    turning: AtomicBool,
    per_request: i64,
    per_second: i64,
    reserve: i64,
}

/// What asking for a token came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Charge {
    Paid,
    Refused,
}

impl Budget {
    pub(crate) fn new(policy: &BudgetPolicy, peers: usize) -> Self {
        let peers = i64::try_from(peers).unwrap_or(i64::MAX / TOKEN / PER_PEER);
        let reserve = i64::from(policy.reserve).max(peers.saturating_mul(PER_PEER)) * TOKEN;
        Self {
            balance: AtomicI64::new(reserve),
            slots: std::array::from_fn(|_| AtomicI64::new(0)),
            second: AtomicU64::new(NONE),
            turning: AtomicBool::new(false),
            // A percent of a token is ten thousandths.
            per_request: i64::from(policy.percent) * TOKEN / 100,
            per_second: i64::from(policy.per_second) * TOKEN,
            reserve,
        }
    }

    /// A request arrived.
    pub(crate) fn deposit(&self, now: Time) {
        self.turn(now);
        self.add(self.per_request);
    }

    /// Takes a token if there is one.
    pub(crate) fn charge(&self, now: Time) -> Charge {
        self.turn(now);
        let take = |balance: i64| (balance >= TOKEN).then(|| balance - TOKEN);
        let relaxed = Ordering::Relaxed;
        if self.balance.fetch_update(relaxed, relaxed, take).is_err() {
            return Charge::Refused;
        }
        self.slot(self.second.load(relaxed))
            .fetch_sub(TOKEN, relaxed);
        Charge::Paid
    }

    /// Gives a token back.
    pub(crate) fn refund(&self) {
        self.add(TOKEN);
    }

    /// Whole tokens left.
    pub(crate) fn tokens(&self) -> u32 {
        let tokens = self.balance.load(Ordering::Relaxed) / TOKEN;
        u32::try_from(tokens.max(0)).unwrap_or(u32::MAX)
    }

    /// Takes the window of another, on top of this one's own reserve.
    pub(crate) fn copy(&self, other: &Self) {
        let relaxed = Ordering::Relaxed;
        self.second.store(other.second.load(relaxed), relaxed);
        let mut balance = self.reserve;
        for (to, from) in self.slots.iter().zip(&other.slots) {
            let net = from.load(relaxed);
            to.store(net, relaxed);
            balance += net;
        }
        self.balance.store(balance, relaxed);
    }

    fn add(&self, tokens: i64) {
        let second = self.second.load(Ordering::Relaxed);
        self.slot(second).fetch_add(tokens, Ordering::Relaxed);
        self.balance.fetch_add(tokens, Ordering::Relaxed);
    }

    /// Begins the seconds that have passed since the last call. One thread does; meanwhile the
    /// others go on in the second before, whose slot is not touched. Only after a silence of the
    /// whole window may what they add be forgotten with it.
    fn turn(&self, now: Time) {
        let relaxed = Ordering::Relaxed;
        let second = now.as_micros() / SECOND;
        let last = self.second.load(Ordering::Acquire);
        if (second <= last && last != NONE) || self.turning.swap(true, Ordering::Acquire) {
            return;
        }
        let last = self.second.load(relaxed);
        // What came before the first second that the group sees earned nothing.
        let first = if last == NONE {
            second + 1
        } else {
            (last + 1).max((second + 1).saturating_sub(SECONDS as u64))
        };
        for begun in first..=second {
            let expired = self.slot(begun).swap(self.per_second, relaxed);
            self.balance.fetch_add(self.per_second - expired, relaxed);
        }
        if last == NONE || second > last {
            self.second.store(second, Ordering::Release);
        }
        self.turning.store(false, Ordering::Release);
    }

    fn slot(&self, second: u64) -> &AtomicI64 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the remainder is below ten"
        )]
        let at = (second % SECONDS as u64) as usize;
        &self.slots[at]
    }
}

/// A token, in the thousandths that the atomics hold.
const TOKEN: i64 = 1_000;
/// Retries that each peer adds to the reserve: enough for the requests of one connection each.
const PER_PEER: i64 = 3;
/// The window: long enough for an outage's first seconds, short enough to forget an old one.
const SECONDS: usize = 10;
/// Before any second.
const NONE: u64 = u64::MAX;
/// In microseconds, as `Time` counts.
const SECOND: u64 = 1_000_000;
