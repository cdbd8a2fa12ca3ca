//! What must hold at every moment: seen through the hooks.

use crate::support::Watch;
use lb::{BreakerView, Delivery, GroupView, HealthView, NoPeer, Outcome, Repeat, Time};
use proxy::error::ProxyError;
use proxy::hooks::Attempt;
use proxy::session::{AttemptReport, Report, Session};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// Watches every attempt. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Watcher(Arc<Mutex<Watched>>);

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Watched {
    group: Option<Arc<lb::Group>>,
    requests: BTreeMap<String, Request>,
    /// Half-open probes in flight.
    probes: BTreeMap<Period, u32>,
    /// When requests arrived, and when one was tried again that may have reached a peer.
    pub(super) arrivals: Vec<Time>,
    pub(super) charges: Vec<Time>,
    pub(super) broken: Vec<String>,
}

#[derive(Debug, Default)]
struct Request {
    /// The peer whose half-open breaker waits for its verdict.
    probe: Option<Period>,
    /// Peers not tried yet that could have served when the last attempt ended; none if that
    /// attempt asks for the same peer again.
    others: Vec<usize>,
    /// Attempts that do not count.
    free: u32,
    /// Another attempt takes a token of the budget; the present one has, then.
    charge: bool,
    charged: Option<Time>,
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

    /// A peer whose breaker would let a request through, as nothing is on its way to it.
    fn idle_probe(&self, session: &Session) -> Option<String> {
        let view = self.group.as_ref()?.view(session.clock().now());
        let tried = &session.report().attempts;
        let mut peers = view.peers.into_iter().enumerate();
        let (_, peer) = peers.find(|(at, peer)| {
            let was_tried = tried.iter().any(|made| usize::from(made.peer.0) == *at);
            let half_open = peer.breaker == BreakerView::HalfOpen && peer.in_flight == 0;
            let out = peer.health == HealthView::Unhealthy || peer.cooling_until.is_some();
            half_open && !was_tried && !out
        })?;
        Some(peer.name)
    }

    fn release(&mut self, session: &Session) {
        if let Some(peer) = self.request(session).probe.take() {
            *self.probes.entry(peer).or_default() -= 1;
        }
    }

    /// Counts an attempt that follows another against the budget and the policy.
    fn count(&mut self, attempt: &Attempt<'_>) {
        let (session, retry) = (attempt.session, &attempt.group.lb.policy().retry);
        if attempt.number > retry.hard_cap {
            self.breaks(session, "more attempts than the hard cap");
        }
        let request = self.request(session);
        let counted = attempt.number - request.free;
        request.charged = None;
        if std::mem::take(&mut request.charge) {
            let now = session.clock().now();
            request.charged = Some(now);
            self.charges.push(now);
        }
        if counted > retry.attempts {
            self.breaks(session, "more attempts than the policy has");
        }
    }
}

impl Watch for Watcher {
    fn connected(&self, attempt: &Attempt<'_>) {
        let mut seen = self.seen();
        seen.group = Some(Arc::clone(&attempt.group.lb));
        seen.count(attempt);
        let (session, policy) = (attempt.session, attempt.group.lb.policy());
        if session.response_committed() {
            seen.breaks(session, "an attempt after the commit");
        }
        if seen.request(session).logged > 0 {
            seen.breaks(session, "an attempt after the end");
        }
        // Connected at the moment it was picked: all is still as it was.
        let now = session.clock().now();
        if now != attempt.began {
            return;
        }
        let view = attempt.group.lb.view(now);
        let made = &session.report().attempts;
        let tried = &made[..made.len() - 1];
        if tried.iter().any(|made| made.peer == attempt.peer) {
            let free = untried(tried, &view, policy.max_in_flight);
            let others = &seen.request(session).others;
            if free.iter().any(|peer| others.contains(peer)) {
                let what = format!("{:?} again, though {free:?} were not tried", attempt.peer);
                seen.breaks(session, &what);
            }
        }
        let Some(breaker) = &policy.breaker else {
            return;
        };
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

    fn settled(&self, attempt: &Attempt<'_>, outcome: &Outcome) {
        let mut seen = self.seen();
        seen.release(attempt.session);
        let (session, lb) = (attempt.session, &attempt.group.lb);
        let class = lb::classify(outcome);
        let request = seen.request(session);
        // What did not reach a peer gives its token back.
        if let Some(charged) = request.charged.take()
            && class.delivery == Delivery::NotSent
            && let Some(at) = seen.charges.iter().position(|at| *at == charged)
        {
            seen.charges.remove(at);
        }
        let request = seen.request(session);
        let first = request.free == 0;
        let free = match class.retry {
            Repeat::Any { free } => free,
            // Forgiven once.
            Repeat::Safe { free } => free && request.free == 0,
            Repeat::FreshOnce | Repeat::Never | Repeat::OtherPeer => false,
        };
        request.free += u32::from(free);
        request.charge = !free && class.delivery != Delivery::NotSent;
        request.others = if free && first {
            Vec::new()
        } else {
            let view = lb.view(session.clock().now());
            untried(&session.report().attempts, &view, lb.policy().max_in_flight)
        };
    }

    fn failed(&self, session: &Session, error: &ProxyError) {
        let mut seen = self.seen();
        let ProxyError::NoPeer(NoPeer::AllOpen { retry_after, .. }) = error else {
            return;
        };
        if retry_after.is_zero() {
            seen.breaks(session, "all open, and no time to come back");
        }
        if let Some(peer) = seen.idle_probe(session) {
            seen.breaks(session, &format!("all open, but {peer} waits for a probe"));
        }
        let first = session.report().attempts.is_empty();
        let took = session.clock().now().since(session.started);
        if first && took > LONGEST_WAIT {
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

/// Peers that were not tried and can serve.
fn untried(tried: &[AttemptReport], view: &GroupView, cap: u32) -> Vec<usize> {
    let peers = view.peers.iter().enumerate();
    let free = peers.filter(|(at, peer)| {
        let was_tried = tried.iter().any(|made| usize::from(made.peer.0) == *at);
        let full = cap > 0 && peer.in_flight >= cap;
        !was_tried && peer.usable && !full && peer.cooling_until.is_none()
    });
    free.map(|(at, _)| at).collect()
}

/// What a request waits for the probe of a peer, and a last pause.
const LONGEST_WAIT: Duration = Duration::from_millis(2_160);
