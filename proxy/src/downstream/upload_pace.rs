//! How fast a request body comes, by comparing two looks at it.

use crate::settings::Limits;
use crate::upload::UploadWatch;
use lb::Time;
use std::time::Duration;

/// What the last look at a body saw.
#[derive(Clone, Copy, Debug)]
pub(super) struct UploadPace {
    at: Time,
    /// Which body it was.
    body: u32,
    bytes: u64,
    /// Since when the client is waited for.
    silent: Time,
    /// How long it was waited for, in all.
    waited: Duration,
}

impl UploadPace {
    pub(super) const fn new(now: Time) -> Self {
        Self {
            at: now,
            body: 0,
            bytes: 0,
            silent: now,
            waited: Duration::ZERO,
        }
    }

    /// Looks again: whether the body stalls or drips.
    pub(super) fn is_late(&mut self, watch: &UploadWatch, limits: &Limits, now: Time) -> bool {
        if !watch.is_coming() || watch.is_late() || watch.dawdles() {
            return false;
        }
        let (body, bytes) = watch.progress();
        if body != self.body {
            *self = Self {
                body,
                bytes,
                ..Self::new(now)
            };
            return false;
        }
        if watch.is_awaited() {
            self.waited += now.since(self.at);
        }
        if !watch.is_awaited() || bytes != self.bytes {
            self.silent = now;
        }
        self.at = now;
        self.bytes = bytes;
        let stalls = !limits.body_idle.is_zero() && now.since(self.silent) >= limits.body_idle;
        let least = u128::from(limits.body_min_rate) * self.waited.as_millis() / 1_000;
        stalls || (self.waited >= GRACE && u128::from(bytes) < least)
    }
}

/// How long a body may take whatever its rate: a rate needs something to measure.
const GRACE: Duration = Duration::from_secs(10);
