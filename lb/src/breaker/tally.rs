//! Counting outcomes while a breaker is closed, without a lock.

use super::{BreakerPolicy, Trip};
use crate::classify::Verdict;
use crate::sync::{AtomicU32, AtomicU64, Ordering};
use crate::time::Time;

/// The counters of one closed breaker.
///
/// Threads may interleave: an outcome may land in a neighbouring bucket, or in a count that is
/// being reset. That moves a trip by an outcome, never breaks it: the machine has the last word.
#[derive(Debug)]
pub(crate) struct Tally {
    failures: AtomicU32,
    connect_failures: AtomicU32,
    window: [Bucket; BUCKETS],
}

/// Outcomes of one slice of the window, each counter with the slice's number above it.
#[derive(Debug)]
struct Bucket {
    all: AtomicU64,
    failed: AtomicU64,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self {
            failures: AtomicU32::new(0),
            connect_failures: AtomicU32::new(0),
            window: std::array::from_fn(|_| Bucket {
                all: AtomicU64::new(0),
                failed: AtomicU64::new(0),
            }),
        }
    }

    /// Counts a verdict; says so when it should open the breaker.
    pub(crate) fn record(
        &self,
        verdict: Verdict,
        policy: &BreakerPolicy,
        now: Time,
    ) -> Option<Trip> {
        match verdict {
            Verdict::Neutral | Verdict::Overload { .. } => None,
            Verdict::Succeed => {
                clear(&self.failures);
                clear(&self.connect_failures);
                self.passed(policy, now);
                None
            }
            Verdict::ConnectFail => {
                let row = raise(&self.connect_failures);
                let rate = self.failed(policy, now);
                if row >= policy.connect_failure_threshold {
                    return Some(Trip::Connect);
                }
                rate
            }
            Verdict::Fail => {
                clear(&self.connect_failures);
                let row = raise(&self.failures);
                let rate = self.failed(policy, now);
                if row >= policy.failure_threshold {
                    return Some(Trip::Consecutive);
                }
                rate
            }
            Verdict::RateFail => {
                clear(&self.connect_failures);
                self.failed(policy, now)
            }
        }
    }

    /// Failures in a row, of the kind that has more.
    pub(crate) fn in_a_row(&self) -> u32 {
        let failures = self.failures.load(Ordering::Relaxed);
        failures.max(self.connect_failures.load(Ordering::Relaxed))
    }

    /// Starts over, when the breaker closes.
    pub(crate) fn reset(&self) {
        self.failures.store(0, Ordering::Relaxed);
        self.connect_failures.store(0, Ordering::Relaxed);
        for bucket in &self.window {
            bucket.all.store(0, Ordering::Relaxed);
            bucket.failed.store(0, Ordering::Relaxed);
        }
    }

    /// Takes the counts of another.
    pub(crate) fn copy(&self, other: &Self) {
        let failures = other.failures.load(Ordering::Relaxed);
        self.failures.store(failures, Ordering::Relaxed);
        let connect = other.connect_failures.load(Ordering::Relaxed);
        self.connect_failures.store(connect, Ordering::Relaxed);
        for (to, from) in self.window.iter().zip(&other.window) {
            let all = from.all.load(Ordering::Relaxed);
            to.all.store(all, Ordering::Relaxed);
            let failed = from.failed.load(Ordering::Relaxed);
            to.failed.store(failed, Ordering::Relaxed);
        }
    }

    fn passed(&self, policy: &BreakerPolicy, now: Time) {
        let slice = slice(policy, now);
        if let Some(bucket) = self.window.get(place(slice)) {
            add(&bucket.all, slice);
        }
    }

    fn failed(&self, policy: &BreakerPolicy, now: Time) -> Option<Trip> {
        let slice = slice(policy, now);
        if let Some(bucket) = self.window.get(place(slice)) {
            add(&bucket.all, slice);
            add(&bucket.failed, slice);
        }
        let (mut all, mut failed) = (0_u64, 0_u64);
        for bucket in &self.window {
            all += count(&bucket.all, slice);
            failed += count(&bucket.failed, slice);
        }
        let enough = all >= u64::from(policy.min_requests.max(1));
        let bad = failed * 100 >= all * u64::from(policy.failure_rate_percent);
        (enough && bad).then_some(Trip::Rate)
    }
}

/// The number of the slice of time that `now` is in, in 32 bits.
fn slice(policy: &BreakerPolicy, now: Time) -> u64 {
    let window = u64::try_from(policy.window.as_micros()).unwrap_or(u64::MAX);
    let length = (window / BUCKETS as u64).max(1);
    (now.as_micros() / length) & LOW
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the remainder is below ten"
)]
const fn place(slice: u64) -> usize {
    (slice % BUCKETS as u64) as usize
}

/// Adds one to a counter of this slice; the count of a passed slice is overwritten.
fn add(counter: &AtomicU64, slice: u64) {
    let mut seen = counter.load(Ordering::Relaxed);
    loop {
        if seen >> 32 == slice {
            // Between the load and this, the bucket may have been given to a later slice: the
            // outcome then counts there, which is as good.
            counter.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let fresh = slice << 32 | 1;
        match counter.compare_exchange_weak(seen, fresh, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return,
            Err(now) => seen = now,
        }
    }
}

/// The count of a bucket that is still within the window.
fn count(counter: &AtomicU64, slice: u64) -> u64 {
    let seen = counter.load(Ordering::Relaxed);
    let age = slice.wrapping_sub(seen >> 32) & LOW;
    if age < BUCKETS as u64 { seen & LOW } else { 0 }
}

fn raise(counter: &AtomicU32) -> u32 {
    counter.fetch_add(1, Ordering::Relaxed).saturating_add(1)
}

/// Clears a counter without writing to a cache line that others read, when it is clear already.
fn clear(counter: &AtomicU32) {
    if counter.load(Ordering::Relaxed) != 0 {
        counter.store(0, Ordering::Relaxed);
    }
}

/// Ten slices: expiry is smooth, and the sum stays trivial.
const BUCKETS: usize = 10;
const LOW: u64 = 0xffff_ffff;
