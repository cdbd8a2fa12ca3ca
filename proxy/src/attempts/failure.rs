//! What becomes of a failure: the hooks advise, the policy decides.

use super::{Attempts, Ended, Turn};
use crate::error::{AttemptError, Phase, ProxyError};
use crate::hooks::{Hooks, RetryDecision};
use crate::network::Network;
use lb::{Class, Decision, Delivery, Next, Outcome, Pick, Repeat, RetryFacts, Time};
use std::time::Duration;

impl<N: Network, H: Hooks> Attempts<'_, N, H> {
    /// An attempt failed.
    pub(super) fn failed(
        &mut self,
        error: &AttemptError,
        mut pick: Pick,
        began: Time,
        safe: bool,
    ) -> Turn<N> {
        // Asked again: now the body has been sent, and has the last word over the head.
        let safe = safe && self.is_safe();
        let outcome = Outcome::Failed(error.failure);
        let class = self.settle(&mut pick, began, &outcome);
        let now = self.thread.clock.now();
        self.history.first_failure.get_or_insert(now);
        if class.delivery != Delivery::NotSent {
            self.history.reached = Some(error.clone());
        }
        let (hooks, attempt, ctx) = self.hooked(pick.peer(), began);
        let advice = match error.phase {
            Phase::Connect => hooks.fail_to_connect(&attempt, error, ctx),
            Phase::Send | Phase::Head | Phase::Body => {
                hooks.error_while_proxy(&attempt, error, ctx)
            }
        };
        // What a hook asks for is done if the class of the failure allows it, listed or not.
        let may = safe || class.delivery == Delivery::NotSent;
        let (wanted, wanted_class) = if may {
            (ASKED, asked(class))
        } else {
            (outcome, class)
        };
        let decision = match advice {
            RetryDecision::Policy => self.decide(&outcome, &class, safe, &pick),
            RetryDecision::Stop => {
                return Turn::End(Ended::Error(ProxyError::Attempt(error.clone())));
            }
            RetryDecision::NextPeer { backoff } => {
                match self.decide(&wanted, &wanted_class, safe, &pick) {
                    Decision::Retry { .. } if backoff.is_some_and(|wait| !self.has_time(wait)) => {
                        Decision::Stop(lb::Why::Deadline)
                    }
                    Decision::Retry { wait, charged, .. } => Decision::Retry {
                        wait: backoff.unwrap_or(wait),
                        next: Next::OtherPeer,
                        charged,
                    },
                    stop @ Decision::Stop(_) => stop,
                }
            }
            RetryDecision::SamePeerFresh => {
                match self.decide(&wanted, &wanted_class, safe, &pick) {
                    Decision::Retry { wait, charged, .. } => Decision::Retry {
                        wait,
                        next: Next::SamePeerFresh,
                        charged,
                    },
                    stop @ Decision::Stop(_) => stop,
                }
            }
            RetryDecision::Unsafe { why } => {
                tracing::info!(why, peer = attempt.peer_name(), "unsafe_retry");
                self.decide(&ASKED, &asked(class), true, &pick)
            }
        };
        match decision {
            Decision::Retry { wait, next, .. } => self.again(pick.peer(), wait, next),
            Decision::Stop(_) => Turn::End(Ended::Error(ProxyError::Attempt(error.clone()))),
        }
    }

    pub(super) fn again(&mut self, peer: lb::PeerIndex, wait: Duration, next: Next) -> Turn<N> {
        if next == Next::SamePeerFresh {
            self.same_peer = Some(peer);
        }
        Turn::Again(wait)
    }

    /// Whether the request may run on after a wait.
    pub(super) fn has_time(&self, wait: Duration) -> bool {
        let after = self.thread.clock.now() + wait;
        self.total.is_none_or(|total| after < total)
    }

    /// Asks the policy.
    pub(super) fn decide(
        &mut self,
        outcome: &Outcome,
        class: &Class,
        safe: bool,
        pick: &Pick,
    ) -> Decision {
        let group = &self.target.group;
        let now = self.thread.clock.now();
        let upload = &self.transaction.session.upload;
        let facts = RetryFacts {
            outcome,
            class,
            safe,
            replayable: upload.is_replayable(),
            committed: false,
            attempts: self.history.made,
            free: self.history.free,
            first_failure: *self.history.first_failure.get_or_insert(now),
            remaining: self.total.map(|total| total.since(now)),
            other_peers: self.target.pin.is_none()
                && group.lb.has_other(&self.tried, self.target.serves(), now),
        };
        // A panic pick is one attempt and no more (lb: panic rules).
        let decision = if pick.is_panic() {
            Decision::Stop(lb::Why::NoOtherPeer)
        } else {
            let policy = self.target.retry_policy();
            group
                .lb
                .decide_by(policy, &facts, now, self.thread.clock.entropy())
        };
        if facts.is_free() && matches!(decision, Decision::Retry { .. }) {
            self.history.free += 1;
        }
        match decision {
            Decision::Retry { charged: true, .. } => {
                self.charged = true;
                group.metrics.retries.charged.increment();
            }
            Decision::Retry { charged: false, .. } => group.metrics.retries.not_sent.increment(),
            Decision::Stop(lb::Why::Budget) => group.metrics.retries.budget.increment(),
            Decision::Stop(_) => {}
        }
        decision
    }
}

/// The class of an attempt that a hook wants to be followed by another.
pub(super) fn asked(class: Class) -> Class {
    let retry = Repeat::Any { free: false };
    Class { retry, ..class }
}

/// What a hook asks for is, to the policy, an outcome of our own: always listed.
pub(super) const ASKED: Outcome = Outcome::Local;
