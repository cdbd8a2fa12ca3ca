//! The attempt loop: pick, try, classify, settle, then commit or decide and pick again.

mod acquire;
mod address;
mod adopt;
mod answer;
mod attempt;
mod failure;
mod read;
mod relocate;
mod wait;

pub(crate) use acquire::acquire;
pub(crate) use attempt::{Answer, Bounds, Failed, send};
pub(crate) use relocate::{answer, go_on};
pub(crate) use wait::Wait;

use address::address;
use relocate::History;

use crate::error::{AttemptError, ProxyError};
use crate::grpc;
use crate::hooks::{Attempt, Hooks, Reply, Target, Transform};
use crate::metrics::{AttemptMetrics, Counter};
use crate::network::Network;
use crate::pace::PaceBounds;
use crate::reply;
use crate::session::AttemptReport;
use crate::thread::Thread;
use crate::transaction::Transaction;
use crate::upstream::UpstreamHead;
use bytes::Bytes;
use lb::{
    Cause, Class, Delivery, Failure, Outcome, Pick, PickRequest, Received, Sent, Time, Tried,
    Verdict,
};
use std::rc::Rc;
use std::time::Duration;

/// The tries of one request.
pub(crate) struct Attempts<'a, N: Network, H: Hooks> {
    thread: &'a Rc<Thread<N, H>>,
    target: &'a Target,
    transaction: &'a mut Transaction<H>,
    history: &'a mut History,
    tried: Tried,
    /// The next attempt goes to the same peer, on a new connection.
    same_peer: Option<lb::PeerIndex>,
    total: Option<Time>,
    /// A peer's answer that was to be better by another attempt.
    last: Option<Kept>,
    wait: Wait,
    /// The attempt under way took a token of the retry budget.
    charged: bool,
}

/// A peer's answer that goes downstream.
pub(crate) struct Committed<N: Network> {
    pub(crate) answer: Answer<N>,
    pub(crate) pick: Pick,
    /// What was read of the body to look at it.
    pub(crate) prefix: Bytes,
    pub(crate) transform: Option<Box<dyn Transform>>,
    pub(crate) bounds: PaceBounds,
    /// How long it may be silent, if it is a tunnel.
    pub(crate) tunnel_idle: Option<Duration>,
}

/// Why there is no answer of a peer to relay.
pub(crate) enum Ended {
    /// The client did not send its body.
    Client,
    /// No peer answered.
    Error(ProxyError),
    /// An answer that is complete already.
    Reply(Reply),
}

/// Why the attempts at one target stopped.
enum Stopped {
    Ended(Ended),
    /// The hooks want another target, because the peer did not do what it was asked.
    Refused(&'static str, Option<Kept>),
}

/// A peer's answer that was to be better by another attempt, when that attempt began.
type Kept = (Reply, lb::PeerIndex, Time);

/// What one turn of the loop came to.
enum Turn<N: Network> {
    Again(Duration),
    Commit(Box<Committed<N>>),
    End(Ended),
    Refused(&'static str, Option<Kept>),
}

impl<'a, N: Network, H: Hooks> Attempts<'a, N, H> {
    fn new(
        thread: &'a Rc<Thread<N, H>>,
        target: &'a Target,
        transaction: &'a mut Transaction<H>,
        history: &'a mut History,
    ) -> Self {
        let session = &transaction.session;
        let patience = if session.is_call() {
            // Its client says how long it waits; without a word it may stream for hours.
            grpc::timeout(&session.request.headers)
        } else {
            target.timeouts.total
        };
        let since = history.since.unwrap_or(session.started);
        let total = patience.map(|patience| since + patience);
        Self {
            thread,
            target,
            transaction,
            history,
            tried: Tried::default(),
            same_peer: None,
            total,
            last: None,
            wait: Wait::default(),
            charged: false,
        }
    }

    /// Tries until a peer's answer can be relayed, or there is nothing more to try.
    async fn run(mut self) -> Result<Committed<N>, Stopped> {
        self.target.group.lb.arrived(self.thread.clock.recent());
        loop {
            let turn = self.turn().await;
            self.report_changes();
            match turn {
                Turn::Again(wait) if wait.is_zero() => {}
                // Dropping the request, when its client leaves, ends the wait.
                Turn::Again(wait) => tokio::time::sleep(wait).await,
                Turn::Commit(committed) => return Ok(*committed),
                // After exhausted retries the client gets the last answer, if there was one
                // (haproxy/haproxy#439).
                Turn::End(Ended::Error(error)) => {
                    let Some(kept) = self.last.take() else {
                        let error = honest(error, self.history.reached.clone());
                        return Err(Stopped::Ended(Ended::Error(error)));
                    };
                    return Err(match self.kept(kept) {
                        Ok(reply) => Stopped::Ended(Ended::Reply(reply)),
                        Err(why) => Stopped::Refused(why, None),
                    });
                }
                Turn::End(ended) => return Err(Stopped::Ended(ended)),
                Turn::Refused(why, kept) => return Err(Stopped::Refused(why, kept)),
            }
        }
    }

    async fn turn(&mut self) -> Turn<N> {
        let group = &self.target.group;
        let now = self.thread.clock.now();
        let safe = self.is_safe();
        let request = PickRequest {
            hash: self.target.hash,
            pin: self.target.pin,
            region: self.target.region.as_deref(),
            serves: self.target.serves(),
            tried: &self.tried,
            repeatable: safe && self.transaction.session.upload.is_replayable(),
            retry_same: self.same_peer.is_some(),
        };
        let mut pick = match group.lb.pick(&request, now, self.thread.clock.entropy()) {
            Ok(pick) => pick,
            Err(none) => {
                if let Some(pause) = self.wait.pause(&none, now)
                    && self.has_time(pause)
                {
                    return Turn::Again(pause);
                }
                if std::mem::take(&mut self.charged) {
                    group.lb.refund();
                }
                return Turn::End(Ended::Error(ProxyError::NoPeer(none)));
            }
        };
        self.history.made += 1;
        let bounds = self.bounds(safe);
        self.transaction
            .session
            .report
            .attempts
            .push(AttemptReport {
                peer: pick.peer(),
                status: None,
                cause: None,
                began: now,
            });
        self.tried.insert(pick.peer());
        self.same_peer = None;
        match self.attempt(&pick, now, bounds).await {
            Ok(answer) => self.answered(answer, pick, now, safe).await,
            Err(Failed::Client) => {
                self.settle(&mut pick, now, &Outcome::Cancelled);
                Turn::End(Ended::Client)
            }
            Err(Failed::Exhausted(error)) => {
                self.settle(&mut pick, now, &Outcome::Local);
                Turn::End(Ended::Error(ProxyError::Exhausted(error.into())))
            }
            Err(Failed::NoTunnel) => {
                self.settle(&mut pick, now, &Outcome::Local);
                Turn::End(Ended::Reply(reply::no_tunnel()))
            }
            Err(Failed::Peer(error)) => self.failed(&error, pick, now, safe),
            Err(Failed::Total(sent)) => {
                let failure = Failure {
                    cause: Cause::HeadTimeout,
                    sent,
                    received: Received::Nothing,
                    reused: false,
                };
                let outcome = if self.transaction.session.is_call() {
                    // It is the client's own, and may be shorter than any peer could keep.
                    Outcome::Cancelled
                } else {
                    Outcome::Failed(failure)
                };
                self.settle(&mut pick, now, &outcome);
                let delivery = match sent {
                    Sent::Nothing => Delivery::NotSent,
                    Sent::Partial | Sent::Full => Delivery::Unknown,
                };
                Turn::End(Ended::Error(ProxyError::Total(delivery)))
            }
        }
    }

    /// Whether the request may run twice.
    fn is_safe(&mut self) -> bool {
        let Transaction {
            session,
            ctx,
            hooks,
            ..
        } = &mut *self.transaction;
        hooks.repeat_safe(session, ctx)
    }

    fn bounds(&self, safe: bool) -> Bounds {
        let policy = self.target.retry_policy();
        let movable = safe && self.transaction.session.upload.is_replayable();
        // The last attempt gets all the time there is: a slow answer beats none (Linkerd).
        let last = !movable || self.history.made >= policy.attempts;
        Bounds {
            total: self.total,
            per_try: policy.per_try.filter(|_| !last),
            movable: movable && !last,
            fresh: self.history.made > 1,
            tunnel: self.transaction.offer.is_some(),
        }
    }

    /// Tries once.
    async fn attempt(
        &mut self,
        pick: &Pick,
        began: Time,
        bounds: Bounds,
    ) -> Result<Answer<N>, Failed> {
        let (thread, target) = (self.thread, self.target);
        let connection = acquire(thread, target, pick.peer(), bounds).await?;
        let Transaction {
            session,
            ctx,
            hooks,
            offer,
            ..
        } = &mut *self.transaction;
        let session = &*session;
        let mut head = UpstreamHead::new(&session.request);
        address(&mut head, &session.request, target, pick.peer());
        if let Some(total) = self.total
            && session.is_call()
            && self.history.made > 1
        {
            // The server counts from when it hears of the call.
            let left = total.since(thread.clock.now());
            head.set(grpc::TIMEOUT, grpc::remaining(left));
        }
        let attempt = Attempt {
            session,
            group: &target.group,
            peer: pick.peer(),
            number: self.history.made,
            began,
        };
        hooks.connected_to_upstream(&attempt, ctx);
        hooks.upstream_request(&attempt, &mut head, ctx);
        if let Some(offer) = offer {
            offer.write(&mut head);
        }
        send(
            thread,
            target,
            (pick.peer(), began),
            connection,
            &head,
            &session.upload,
            bounds,
        )
        .await
    }

    /// Tells the peer's breaker, and counts.
    fn settle(&mut self, pick: &mut Pick, began: Time, outcome: &Outcome) -> Class {
        let mut class = lb::classify(outcome);
        let group = &self.target.group;
        let attempt = self.view(pick.peer(), began);
        if let Some(verdict) = self.transaction.hooks.classify(&attempt, outcome) {
            class.verdict = verdict;
        }
        let clock = &self.thread.clock;
        if std::mem::take(&mut self.charged) && class.delivery == Delivery::NotSent {
            // It never reached a peer, so it multiplied nobody's load.
            group.lb.refund();
        }
        pick.settle(class.verdict, clock.now(), clock.entropy());
        let peer = group.peer(pick.peer());
        if class.fast_check {
            peer.suspect();
        }
        counter(&peer.metrics.attempts, outcome, &class).increment();
        let report = self.transaction.session.report.attempts.last_mut();
        if let Some(report) = report {
            match outcome {
                Outcome::Answered { status, .. } => report.status = Some(*status),
                Outcome::Failed(failure) => report.cause = Some(failure.cause),
                Outcome::Cancelled | Outcome::Local => {}
            }
        }
        class
    }

    /// What a hook is called with: the hooks, the attempt, and the author's state.
    fn hooked(&mut self, peer: lb::PeerIndex, began: Time) -> (&H, Attempt<'_>, &mut H::Ctx) {
        let attempt = Attempt {
            session: &self.transaction.session,
            group: &self.target.group,
            peer,
            number: self.history.made,
            began,
        };
        (&self.transaction.hooks, attempt, &mut self.transaction.ctx)
    }

    fn view(&self, peer: lb::PeerIndex, began: Time) -> Attempt<'_> {
        Attempt {
            session: &self.transaction.session,
            group: &self.target.group,
            peer,
            number: self.history.made,
            began,
        }
    }

    /// Tells the hooks what changed in the group.
    fn report_changes(&self) {
        let group = &self.target.group;
        for change in group.lb.take_changes() {
            crate::events::report(group, &change);
            self.thread.hooks.on_event(group, &change);
        }
    }
}

/// An error that does not deny what an earlier attempt has done: a request that may have reached
/// a peer is not said to be unsent because the next peer refused the connection.
fn honest(error: ProxyError, reached: Option<AttemptError>) -> ProxyError {
    match (error, reached) {
        (ProxyError::Total(_), Some(_)) => ProxyError::Total(Delivery::Unknown),
        (error, Some(reached)) if error.delivery() == Delivery::NotSent => {
            ProxyError::Attempt(reached)
        }
        (error, _) => error,
    }
}

fn counter<'a>(metrics: &'a AttemptMetrics, outcome: &Outcome, class: &Class) -> &'a Counter {
    match outcome {
        Outcome::Answered { .. }
            if matches!(class.verdict, Verdict::Succeed | Verdict::Neutral) =>
        {
            &metrics.answered
        }
        Outcome::Answered { .. } => &metrics.failed_status,
        Outcome::Cancelled | Outcome::Local => &metrics.cancelled,
        Outcome::Failed(failure) => match failure.cause {
            Cause::Connect | Cause::ConnectTimeout => &metrics.connect,
            Cause::Tls => &metrics.tls,
            Cause::HeadTimeout | Cause::Lost => &metrics.timeout,
            Cause::Refused | Cause::Unprocessed => &metrics.stale,
            Cause::BodyAborted => &metrics.body,
            Cause::Closed | Cause::Malformed | Cause::Reset => &metrics.reset,
        },
    }
}
