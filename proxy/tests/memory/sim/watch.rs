//! What must hold at every moment: seen through the hooks.

use crate::support::Watch;
use lb::{BreakerView, NoPeer, Outcome, Time};
use proxy::error::ProxyError;
use proxy::hooks::Attempt;
use proxy::session::{Report, Session};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// Watches every attempt. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Watcher(Arc<Mutex<Watched>>);

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Watched {
    requests: BTreeMap<String, Request>,
    /// Half-open probes in flight.
    probes: BTreeMap<Period, u32>,
    /// When a request arrived, and when the counter of charged retries had grown by how much.
    pub(super) arrivals: Vec<Time>,
    pub(super) charges: Vec<(Time, u64)>,
    charged: u64,
    pub(super) broken: Vec<String>,
}

#[derive(Debug, Default)]
struct Request {
    /// The peer whose half-open breaker waits for its verdict.
    probe: Option<Period>,
    logged: u32,
}

/// A peer, and how often it had been lost: a breaker that opens again forgets its probes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Period(u16, u32);

impl Watcher {
    pub(super) fn seen(&self) -> MutexGuard<'_, Watched> {
        self.0.lock().unwrap()
    }
}

impl Watched {
    fn request(&mut self, session: &Session) -> &mut Request {
        let target = session.request.uri.path();
        if !self.requests.contains_key(target) {
            self.arrivals.push(session.started);
        }
        self.requests.entry(target.to_owned()).or_default()
    }

    fn breaks(&mut self, session: &Session, what: &str) {
        let target = session.request.uri.path();
        self.broken.push(format!("{target}: {what}"));
    }

    fn release(&mut self, session: &Session) {
        if let Some(peer) = self.request(session).probe.take() {
            *self.probes.entry(peer).or_default() -= 1;
        }
    }

    fn count(&mut self, attempt: &Attempt<'_>) {
        let charged = attempt.group.metrics.retries.charged.get();
        if charged > self.charged {
            let now = attempt.session.clock().now();
            self.charges.push((now, charged - self.charged));
            self.charged = charged;
        }
    }
}

impl Watch for Watcher {
    fn connected(&self, attempt: &Attempt<'_>) {
        let mut seen = self.seen();
        seen.count(attempt);
        let (session, policy) = (attempt.session, attempt.group.lb.policy());
        if session.response_committed() {
            seen.breaks(session, "an attempt after the commit");
        }
        if seen.request(session).logged > 0 {
            seen.breaks(session, "an attempt after the end");
        }
        if attempt.number > policy.retry.hard_cap {
            seen.breaks(session, "more attempts than the hard cap");
        }
        // Connected at the moment it was picked: the breaker is still as it was.
        let now = session.clock().now();
        let Some(breaker) = &policy.breaker else {
            return;
        };
        if now != attempt.began {
            return;
        }
        let view = attempt.group.lb.view(now);
        let peer = &view.peers[usize::from(attempt.peer.0)];
        if peer.breaker == BreakerView::HalfOpen {
            let period = Period(attempt.peer.0, peer.losses);
            seen.release(session);
            seen.request(session).probe = Some(period);
            let probes = seen.probes.entry(period).or_default();
            *probes += 1;
            if *probes > breaker.half_open_probes {
                let what = format!("{probes} half-open probes at once: {period:?}");
                seen.breaks(session, &what);
            }
        }
    }

    fn settled(&self, attempt: &Attempt<'_>, _: &Outcome) {
        let mut seen = self.seen();
        seen.count(attempt);
        seen.release(attempt.session);
    }

    fn failed(&self, session: &Session, error: &ProxyError) {
        let mut seen = self.seen();
        let ProxyError::NoPeer(NoPeer::AllOpen { retry_after }) = error else {
            return;
        };
        if retry_after.is_zero() {
            seen.breaks(session, "all open, and no time to come back");
        }
        let first = session.report().attempts.is_empty();
        if first && session.clock().now() != session.started {
            seen.breaks(session, "all open, and yet it took time");
        }
    }

    fn logged(&self, session: &Session, report: &Report) {
        let mut seen = self.seen();
        seen.release(session);
        let request = seen.request(session);
        request.logged += 1;
        if request.logged > 1 {
            seen.breaks(session, "logged twice");
        }
        if report.attempts.is_empty() && report.status == Some(http::StatusCode::OK) {
            seen.breaks(session, "an answer out of nowhere");
        }
    }
}
