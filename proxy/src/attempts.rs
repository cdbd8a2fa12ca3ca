//! The attempt loop: pick, try, classify, settle, then commit or decide and pick again.

use crate::attempt::{Answer, Bounds, Failed, acquire, send};
use crate::error::{AttemptError, Phase, ProxyError};
use crate::group::Peer;
use crate::headers::forward_response;
use crate::hooks::{
    Attempt, Hooks, Prefix, Reply, ResponseAction, RetryDecision, Target, Transform,
};
use crate::metrics::{AttemptMetrics, Counter};
use crate::network::Network;
use crate::relay::{BodyKind, PaceBounds};
use crate::route::rewrite;
use crate::session::AttemptReport;
use crate::settings::HostPolicy;
use crate::thread::Thread;
use crate::transaction::Transaction;
use crate::upstream::Connection;
use bytes::{Bytes, BytesMut};
use http::{Uri, header, request, response};
use hyper::body::Incoming;
use lb::{
    Cause, Class, Decision, Delivery, Failure, Next, Outcome, Pick, PickRequest, Received, Repeat,
    RetryFacts, Sent, Time, Tried, Verdict,
};
use std::rc::Rc;
use std::time::Duration;

/// The tries of one request.
pub(crate) struct Attempts<'a, N: Network, H: Hooks> {
    thread: &'a Rc<Thread<N, H>>,
    target: &'a Target,
    transaction: &'a mut Transaction<H>,
    tried: Tried,
    made: u32,
    free: u32,
    first_failure: Option<Time>,
    /// The next attempt goes to the same peer, on a new connection.
    same_peer: Option<lb::PeerIndex>,
    total: Option<Time>,
    /// A peer's answer that was to be better by another attempt.
    last: Option<Reply>,
    /// The last failure of an attempt that may have reached its peer.
    reached: Option<AttemptError>,
}

/// A peer's answer that goes downstream.
pub(crate) struct Committed<N: Network> {
    pub(crate) answer: Answer<N>,
    pub(crate) pick: Pick,
    /// What was read of the body to look at it.
    pub(crate) prefix: Bytes,
    pub(crate) transform: Option<Box<dyn Transform>>,
    pub(crate) bounds: PaceBounds,
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

/// What one turn of the loop came to.
enum Turn<N: Network> {
    Again(Duration),
    Commit(Box<Committed<N>>),
    End(Ended),
}

impl<'a, N: Network, H: Hooks> Attempts<'a, N, H> {
    pub(crate) fn new(
        thread: &'a Rc<Thread<N, H>>,
        target: &'a Target,
        transaction: &'a mut Transaction<H>,
    ) -> Self {
        let total = target
            .timeouts
            .total
            .map(|total| transaction.session.started + total);
        Self {
            thread,
            target,
            transaction,
            tried: Tried::default(),
            made: 0,
            free: 0,
            first_failure: None,
            same_peer: None,
            total,
            last: None,
            reached: None,
        }
    }

    /// Tries until a peer's answer can be relayed, or there is nothing more to try.
    pub(crate) async fn run(mut self) -> Result<Committed<N>, Ended> {
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
                    let error = honest(error, self.reached);
                    return Err(self.last.map_or(Ended::Error(error), Ended::Reply));
                }
                Turn::End(ended) => return Err(ended),
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
            tried: &self.tried,
            repeatable: safe && self.transaction.session.upload.is_replayable(),
            retry_same: self.same_peer.is_some(),
        };
        let mut pick = match group.lb.pick(&request, now, self.thread.clock.entropy()) {
            Ok(pick) => pick,
            Err(none) => return Turn::End(Ended::Error(ProxyError::NoPeer(none))),
        };
        self.made += 1;
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
            Err(Failed::Peer(error)) => self.failed(&error, pick, now, safe),
            Err(Failed::Total(sent)) => {
                let failure = Failure {
                    cause: Cause::HeadTimeout,
                    sent,
                    received: Received::Nothing,
                    reused: false,
                };
                let class = self.settle(&mut pick, now, &Outcome::Failed(failure));
                Turn::End(Ended::Error(ProxyError::Total(class.delivery)))
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
        let policy = &self.target.group.lb.policy().retry;
        let movable = safe && self.transaction.session.upload.is_replayable();
        // The last attempt gets all the time there is: a slow answer beats none (Linkerd).
        let last = !movable || self.made >= policy.attempts;
        Bounds {
            total: self.total,
            per_try: policy.per_try.filter(|_| !last),
            movable: movable && !last,
            fresh: self.made > 1,
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
            ..
        } = &mut *self.transaction;
        let mut head = session.request.clone();
        address(&mut head, target, pick.peer());
        let attempt = Attempt {
            session: &*session,
            group: &target.group,
            peer: pick.peer(),
            number: self.made,
            began,
        };
        hooks.connected_to_upstream(&attempt, ctx);
        hooks.upstream_request(&attempt, &mut head, ctx);
        send(
            thread,
            target,
            &attempt,
            connection,
            head,
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

    fn view(&self, peer: lb::PeerIndex, began: Time) -> Attempt<'_> {
        Attempt {
            session: &self.transaction.session,
            group: &self.target.group,
            peer,
            number: self.made,
            began,
        }
    }

    /// A response head has come.
    async fn answered(
        &mut self,
        mut answer: Answer<N>,
        mut pick: Pick,
        began: Time,
        safe: bool,
    ) -> Turn<N> {
        let status = answer.head.status.as_u16();
        let retry_after = retry_after(&answer.head);
        let identity = &self.thread.shared.identity;
        if forward_response(&mut answer.head, identity).is_err() {
            let failure = Failure {
                cause: Cause::Malformed,
                sent: Sent::Full,
                received: Received::Partial,
                reused: answer.connection.is_reused(),
            };
            let error = AttemptError {
                phase: Phase::Head,
                failure,
                peer: pick.peer(),
                source: None,
            };
            return self.failed(&error, pick, began, safe);
        }
        let outcome = Outcome::Answered {
            status,
            retry_after,
        };
        let class = self.settle(&mut pick, began, &outcome);
        if class.retry != Repeat::Never
            && let Decision::Retry { wait, next, .. } = self.decide(&outcome, &class, safe, &pick)
        {
            return self.set_aside(answer, &pick, wait, next).await;
        }
        self.shape(answer, pick, began, &outcome, class, safe).await
    }

    /// Keeps an answer in case no better one comes.
    async fn set_aside(
        &mut self,
        answer: Answer<N>,
        pick: &Pick,
        wait: Duration,
        next: Next,
    ) -> Turn<N> {
        let reused = answer.connection.is_reused();
        match whole(answer).await {
            Some(reply) => self.last = Some(reply),
            None if self.last.is_some() => {}
            None => {
                self.reached = Some(AttemptError {
                    phase: Phase::Body,
                    failure: Failure {
                        cause: Cause::BodyAborted,
                        sent: Sent::Full,
                        received: Received::Head,
                        reused,
                    },
                    peer: pick.peer(),
                    source: None,
                });
            }
        }
        self.again(pick.peer(), wait, next)
    }

    /// Lets the hooks see the answer, and perhaps the beginning of its body.
    async fn shape(
        &mut self,
        mut answer: Answer<N>,
        pick: Pick,
        began: Time,
        outcome: &Outcome,
        class: Class,
        safe: bool,
    ) -> Turn<N> {
        let mut prefix = BytesMut::new();
        let mut ended = http_body::Body::is_end_stream(&answer.incoming);
        loop {
            let Transaction {
                session,
                ctx,
                hooks,
                ..
            } = &mut *self.transaction;
            let attempt = Attempt {
                session: &*session,
                group: &self.target.group,
                peer: pick.peer(),
                number: self.made,
                began,
            };
            let seen = Prefix {
                bytes: &prefix,
                ended,
            };
            let transform = match hooks.upstream_response(&attempt, &mut answer.head, &seen, ctx) {
                ResponseAction::Transform(transform) => Some(transform),
                ResponseAction::Read(limit) if !ended && prefix.len() < limit => {
                    match self.read(&mut answer).await {
                        Some(Ok(data)) => prefix.extend_from_slice(&data),
                        Some(Err(())) => {
                            let peer = pick.peer();
                            let failure = Failure {
                                cause: Cause::BodyAborted,
                                sent: Sent::Full,
                                received: Received::Head,
                                reused: answer.connection.is_reused(),
                            };
                            let error = AttemptError {
                                phase: Phase::Body,
                                failure,
                                peer,
                                source: None,
                            };
                            return self.failed(&error, pick, began, safe);
                        }
                        None => ended = true,
                    }
                    continue;
                }
                ResponseAction::Forward | ResponseAction::Read(_) => None,
                ResponseAction::Replace(reply) => return Turn::End(Ended::Reply(reply)),
                ResponseAction::Retry(_) => {
                    let asked = Class {
                        retry: Repeat::Any { free: false },
                        ..class
                    };
                    let may = safe || class.delivery == Delivery::NotSent;
                    if may
                        && let Decision::Retry { wait, next, .. } =
                            self.decide(outcome, &asked, safe, &pick)
                    {
                        return self.set_aside(answer, &pick, wait, next).await;
                    }
                    None
                }
            };
            if transform.is_some() {
                answer.head.headers.remove(header::CONTENT_LENGTH);
            }
            let bounds = self.pace(&answer.head);
            let prefix = prefix.freeze();
            let committed = Committed {
                answer,
                pick,
                prefix,
                transform,
                bounds,
            };
            return Turn::Commit(Box::new(committed));
        }
    }

    /// The next piece of a body that is looked at before the commit, within the idle bound.
    async fn read(&self, answer: &mut Answer<N>) -> Option<Result<Bytes, ()>> {
        let Answer {
            incoming,
            connection,
            ..
        } = answer;
        let idle = self
            .target
            .timeouts
            .idle
            .unwrap_or(LONGEST_LOOK)
            .min(LONGEST_LOOK);
        match tokio::time::timeout(idle, next_data(incoming, connection)).await {
            Ok(data) => data,
            Err(_) => Some(Err(())),
        }
    }

    fn pace(&self, head: &response::Parts) -> PaceBounds {
        let timeouts = &self.target.timeouts;
        let kind = if is_event_stream(head) {
            BodyKind::Events(self.target.group.settings.sse_keepalive)
        } else {
            BodyKind::Plain
        };
        PaceBounds {
            idle: timeouts.idle,
            total: self.total,
            kind,
        }
    }

    /// An attempt failed.
    fn failed(&mut self, error: &AttemptError, mut pick: Pick, began: Time, safe: bool) -> Turn<N> {
        let outcome = Outcome::Failed(error.failure);
        let class = self.settle(&mut pick, began, &outcome);
        let now = self.thread.clock.now();
        self.first_failure.get_or_insert(now);
        if class.delivery != Delivery::NotSent {
            self.reached = Some(error.clone());
        }
        let Transaction {
            session,
            ctx,
            hooks,
            ..
        } = &mut *self.transaction;
        let attempt = Attempt {
            session: &*session,
            group: &self.target.group,
            peer: pick.peer(),
            number: self.made,
            began,
        };
        let advice = match error.phase {
            Phase::Connect => hooks.fail_to_connect(&attempt, error, ctx),
            Phase::Send | Phase::Head | Phase::Body => {
                hooks.error_while_proxy(&attempt, error, ctx)
            }
        };
        // What a hook asks for is done if the class of the failure allows it, listed or not.
        let may = safe || class.delivery == Delivery::NotSent;
        let asked = Class {
            retry: Repeat::Any { free: false },
            ..class
        };
        let asked = if may { asked } else { class };
        let decision = match advice {
            RetryDecision::Policy => self.decide(&outcome, &class, safe, &pick),
            RetryDecision::Stop => {
                return Turn::End(Ended::Error(ProxyError::Attempt(error.clone())));
            }
            RetryDecision::NextPeer { backoff } => {
                match self.decide(&outcome, &asked, safe, &pick) {
                    Decision::Retry { wait, charged, .. } => Decision::Retry {
                        wait: backoff.unwrap_or(wait),
                        next: Next::OtherPeer,
                        charged,
                    },
                    stop @ Decision::Stop(_) => stop,
                }
            }
            RetryDecision::SamePeerFresh => match self.decide(&outcome, &asked, safe, &pick) {
                Decision::Retry { wait, charged, .. } => Decision::Retry {
                    wait,
                    next: Next::SamePeerFresh,
                    charged,
                },
                stop @ Decision::Stop(_) => stop,
            },
            RetryDecision::Unsafe { why } => {
                tracing::info!(why, peer = attempt.peer_name(), "unsafe_retry");
                let asked = Class {
                    retry: Repeat::Any { free: false },
                    ..class
                };
                self.decide(&outcome, &asked, true, &pick)
            }
        };
        match decision {
            Decision::Retry { wait, next, .. } => self.again(pick.peer(), wait, next),
            Decision::Stop(_) => Turn::End(Ended::Error(ProxyError::Attempt(error.clone()))),
        }
    }

    fn again(&mut self, peer: lb::PeerIndex, wait: Duration, next: Next) -> Turn<N> {
        if next == Next::SamePeerFresh {
            self.same_peer = Some(peer);
        }
        Turn::Again(wait)
    }

    /// Asks the policy.
    fn decide(&mut self, outcome: &Outcome, class: &Class, safe: bool, pick: &Pick) -> Decision {
        let group = &self.target.group;
        let now = self.thread.clock.now();
        let upload = &self.transaction.session.upload;
        let facts = RetryFacts {
            outcome,
            class,
            safe,
            replayable: upload.is_replayable(),
            committed: false,
            attempts: self.made,
            free: self.free,
            first_failure: *self.first_failure.get_or_insert(now),
            remaining: self.total.map(|total| total.since(now)),
            other_peers: self.target.pin.is_none() && group.lb.has_other(&self.tried, now),
        };
        // A panic pick is one attempt and no more (lb: panic rules).
        let decision = if pick.is_panic() {
            Decision::Stop(lb::Why::NoOtherPeer)
        } else {
            group.lb.decide(&facts, now, self.thread.clock.entropy())
        };
        if facts.is_free() && matches!(decision, Decision::Retry { .. }) {
            self.free += 1;
        }
        match decision {
            Decision::Retry { charged: true, .. } => group.metrics.retries.charged.increment(),
            Decision::Retry { charged: false, .. } => group.metrics.retries.not_sent.increment(),
            Decision::Stop(lb::Why::Budget) => group.metrics.retries.budget.increment(),
            Decision::Stop(_) => {}
        }
        decision
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

/// Gives the head of an attempt the path and the `Host` of its peer.
fn address(head: &mut request::Parts, target: &Target, peer: lb::PeerIndex) {
    let Peer { url, authority, .. } = target.group.peer(peer);
    let whole = head.uri.path_and_query();
    let rewritten = match (whole, target.prefix) {
        (Some(whole), Some(prefix)) => rewrite(whole, prefix, &url.path),
        _ => None,
    };
    if let Some(path) = rewritten {
        head.uri = path.into();
    } else if head.uri.authority().is_some() {
        // Origin form, whatever the client sent (RFC 9112 §3.2.1).
        head.uri = whole.cloned().map_or_else(Uri::default, Uri::from);
    }
    let host = match &target.group.settings.host {
        HostPolicy::Auto if target.mcp => Some(authority),
        HostPolicy::Upstream => Some(authority),
        HostPolicy::Fixed(host) => Some(host),
        HostPolicy::Auto | HostPolicy::Preserve if !head.headers.contains_key(header::HOST) => {
            Some(authority)
        }
        HostPolicy::Auto | HostPolicy::Preserve => None,
    };
    if let Some(host) = host {
        head.headers.insert(header::HOST, host.clone());
    }
}

/// Reads a whole small answer, in case no better one comes; none if it is large or slow.
async fn whole<N: Network>(answer: Answer<N>) -> Option<Reply> {
    let Answer {
        head,
        mut incoming,
        mut connection,
    } = answer;
    let mut body = BytesMut::new();
    let reading = async {
        while let Some(data) = next_data(&mut incoming, &mut connection).await {
            body.extend_from_slice(&data?);
            if body.len() > LARGEST_KEPT {
                return Err(());
            }
        }
        Ok(())
    };
    match tokio::time::timeout(LONGEST_KEEP, reading).await {
        Ok(Ok(())) => Some(Reply::from_parts(head, body.freeze())),
        _ => None,
    }
}

/// The next data of a body; trailers are skipped.
async fn next_data<S>(
    incoming: &mut Incoming,
    connection: &mut Connection<S>,
) -> Option<Result<Bytes, ()>>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    loop {
        let frame = std::future::poll_fn(|cx| connection.poll_frame(incoming, cx)).await?;
        match frame.map(http_body::Frame::into_data) {
            Ok(Ok(data)) => return Some(Ok(data)),
            Ok(Err(_)) => {}
            Err(_) => return Some(Err(())),
        }
    }
}

fn is_event_stream(head: &response::Parts) -> bool {
    let kind = head
        .headers
        .get(header::CONTENT_TYPE)
        .map(http::HeaderValue::as_bytes);
    let stream = b"text/event-stream";
    kind.and_then(|kind| kind.get(..stream.len()))
        .is_some_and(|kind| kind.eq_ignore_ascii_case(stream))
}

/// `Retry-After` in seconds (RFC 9110 §10.2.3); a date is not understood.
fn retry_after(head: &response::Parts) -> Option<Duration> {
    if !matches!(head.status.as_u16(), 429 | 503) {
        return None;
    }
    let value = head.headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
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
            Cause::Connect | Cause::ConnectTimeout | Cause::Tls => &metrics.connect,
            Cause::HeadTimeout | Cause::Lost => &metrics.timeout,
            Cause::Unprocessed => &metrics.stale,
            Cause::BodyAborted => &metrics.body,
            Cause::Closed | Cause::Malformed | Cause::Reset => &metrics.reset,
        },
    }
}

/// An answer larger than this is not kept for want of a better one.
const LARGEST_KEPT: usize = 64 * 1024;
/// Nor one that takes longer than this to arrive.
const LONGEST_KEEP: Duration = Duration::from_millis(250);
/// A hook that wants to see the beginning of a body waits no longer than this for a piece.
const LONGEST_LOOK: Duration = Duration::from_secs(30);
