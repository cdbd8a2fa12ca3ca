//! Taking something out of service: a peer that left the configuration, or the whole server.
//!
//! ```text
//! Serving -> Begun ----------> RequestsOver ----------------> Over
//!            nothing new but   what has no response head       event streams are
//!            pins; no idle     yet moves on or fails, plain    ended where a client
//!            connections       bodies are cut                  can resume them
//! ```
//!
//! It ends as soon as nothing is left. The ticker tells those who wait ([`crate::ticker`]).

use crate::settings::Limits;
use crate::ticker::TICK;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

/// How far a peer or the server is with leaving. Threads share it.
#[derive(Debug, Default)]
pub(crate) struct Drain(AtomicU8);

/// The steps, in order.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Step {
    /// It does not leave.
    Serving,
    /// It finishes what it has.
    Begun,
    /// The time of requests is over, that of event streams is not.
    RequestsOver,
    /// The time of all is over.
    Over,
}

impl Drain {
    pub(crate) fn step(&self) -> Step {
        match self.0.load(Ordering::Relaxed) {
            0 => Step::Serving,
            1 => Step::Begun,
            2 => Step::RequestsOver,
            _ => Step::Over,
        }
    }

    pub(crate) fn is_serving(&self) -> bool {
        self.step() == Step::Serving
    }

    /// Begins, if it did not yet.
    pub(crate) fn begin(&self) {
        self.0.fetch_max(Step::Begun as u8, Ordering::Relaxed);
    }

    /// Ends it: nothing more is served.
    pub(crate) fn end(&self) {
        self.0.fetch_max(Step::Over as u8, Ordering::Relaxed);
    }

    /// Takes it back: it stays after all.
    pub(crate) fn cancel(&self) {
        self.0.store(Step::Serving as u8, Ordering::Relaxed);
    }

    /// Goes through the steps until nothing is left, or it was taken back, or the time of all is
    /// over; `at` is called with each step that has begun.
    pub(crate) async fn run(
        &self,
        limits: &Limits,
        mut is_empty: impl FnMut() -> bool,
        mut at: impl FnMut(Step),
    ) {
        self.begin();
        at(Step::Begun);
        let requests = limits.drain_requests;
        let streams = limits.drain_streams.saturating_sub(requests);
        for (patience, next) in [(requests, Step::RequestsOver), (streams, Step::Over)] {
            let mut done = || is_empty() || self.is_serving();
            if tokio::time::timeout(patience, until(&mut done))
                .await
                .is_ok()
            {
                return;
            }
            self.0.fetch_max(next as u8, Ordering::Relaxed);
            at(next);
        }
    }
}

/// Waits until something holds; looks once a tick.
pub(crate) async fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        tokio::time::sleep(TICK).await;
    }
}

/// How long what was told to end may take to do so.
pub(crate) const LAST: Duration = Duration::from_secs(2);
