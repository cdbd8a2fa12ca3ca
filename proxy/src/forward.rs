//! The life of a request, in order; the only loop is the attempt loop.

use crate::attempts::{self, Answer, Committed, Ended};
use crate::body::Body;
use crate::error::ProxyError;
use crate::exchange::Exchange;
use crate::grpc;
use crate::guard::{Refusal, Seen, inspect};
use crate::headers::{forward_request, request_id};
use crate::hooks::{Flow, Hooks, Reply, Target};
use crate::keep::finish;
use crate::network::Network;
use crate::relay::Relay;
use crate::reply;
use crate::session::{ConnectionInfo, Report, Session};
use crate::settings::Limits;
use crate::thread::Thread;
use crate::transaction::Transaction;
use crate::translate::translate_request;
use crate::tunnel::Tunnel;
use crate::upgrade::{self, Offer};
use crate::upload::{Upload, UploadWatch};
use http::{HeaderValue, Request, Response, StatusCode, Version, header, request};
use hyper::body::Incoming;
use lb::{Delivery, NoPeer, Pick};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Serves one request.
pub(crate) async fn serve<N: Network, H: Hooks>(
    thread: &Rc<Thread<N, H>>,
    connection: &Arc<ConnectionInfo>,
    watch: &Arc<UploadWatch>,
    request: Request<Incoming>,
) -> Response<Body<N, H>> {
    let (mut parts, incoming) = request.into_parts();
    let version = parts.version;
    let limits = thread.shared.limits();
    let seen = match check(thread, &limits, &mut parts) {
        Ok(seen) => seen,
        Err(refusal) => return refuse(thread, &parts, refusal),
    };
    let session = Session {
        request: parts,
        connection: Arc::clone(connection),
        started: thread.clock.now(),
        upload: Upload::new(incoming, limits.replay_body, &thread.shared.replay, watch),
        limits,
        report: Report::default(),
        clock: Rc::clone(&thread.clock),
        thread: Rc::clone(thread) as Rc<dyn Exchange>,
        handed: None,
    };
    let mut transaction = Transaction {
        ctx: thread.hooks.new_ctx(connection),
        session,
        hooks: Arc::clone(&thread.hooks),
        group: None,
        offer: None,
        metrics: Arc::clone(&thread.shared.metrics),
    };
    // Its drop takes this back, so it is counted once the transaction stands.
    thread.shared.metrics.requests_active.increment();
    let connects = upgrade::connects(&transaction.session.request).is_some();
    let answered = answer(thread, &mut transaction, seen).await;
    let unread = !transaction.session.upload.is_ended();
    let mut response = match answered {
        Ok(committed) => relay(thread, transaction, committed),
        Err(reply) => own(transaction, reply),
    };
    if connects && response.status().is_success() && !response.body().is_tunnel() {
        // To a CONNECT any success says that there is a tunnel (RFC 9110 §9.3.6): who takes the
        // page of a peer for one sends it what it likes (CVE-2024-23326).
        let why = "the peer did not switch protocols";
        return reply::plain(StatusCode::BAD_GATEWAY, "http_upgrade_failed", why).map(Body::Full);
    }
    if unread && version != Version::HTTP_2 {
        // hyper closes a connection whose request it could not read to its end: a client that is
        // not told sends its next request into a reset (RFC 9112 §9.3, §9.6).
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}

/// The head is sound, and has not been here before.
fn check<N: Network, H: Hooks>(
    thread: &Thread<N, H>,
    limits: &Limits,
    parts: &mut request::Parts,
) -> Result<Seen, Refusal> {
    if parts.version == Version::HTTP_2 {
        translate_request(parts, limits)?;
    }
    let seen = inspect(parts, limits)?;
    if seen.via && thread.shared.identity.is_in(&parts.headers) {
        return Err(Refusal {
            status: StatusCode::LOOP_DETECTED,
            why: "the request has been here before",
        });
    }
    Ok(seen)
}

fn refuse<N: Network, H: Hooks>(
    thread: &Thread<N, H>,
    request: &request::Parts,
    refusal: Refusal,
) -> Response<Body<N, H>> {
    thread.shared.metrics.refused.increment();
    if matches!(refusal.status.as_u16(), 414 | 431) {
        thread.shared.metrics.limits.head.increment();
    }
    let mut reply = reply::plain(refusal.status, "http_request_error", refusal.why);
    if grpc::is_call(request.version, &request.headers) {
        reply = grpc::answer(reply);
    }
    if request.version != Version::HTTP_2 {
        // What follows on a connection whose framing was in doubt is in doubt too.
        let close = HeaderValue::from_static("close");
        reply.headers_mut().insert(header::CONNECTION, close);
    }
    reply.map(Body::Full)
}

/// From the hooks to an answer: a peer's, or a reply of the proxy's own.
async fn answer<N: Network, H: Hooks>(
    thread: &Rc<Thread<N, H>>,
    transaction: &mut Transaction<H>,
    seen: Seen,
) -> Result<Committed<N>, Reply> {
    let hooks = &thread.hooks;
    let Transaction { session, ctx, .. } = transaction;
    if let Flow::Respond(reply) = hooks.request_filter(session, ctx).await {
        thread.shared.metrics.answered.increment();
        return Err(understood(session, reply));
    }
    let target = match hooks.upstream_group(session, ctx).await {
        Ok(target) => target,
        Err(reply) => {
            thread.shared.metrics.unrouted.increment();
            return Err(understood(session, reply));
        }
    };
    target.group.metrics.active.increment();
    transaction.group = Some(Arc::clone(&target.group));

    let session = &mut transaction.session;
    let body = if session.upload.is_empty() {
        upgrade::Body::None
    } else {
        upgrade::Body::Some
    };
    let clock = &thread.clock;
    let entropy = || clock.entropy();
    let offer = Offer::of(&session.request, seen, body, target.upgrades(), entropy);
    transaction.offer = offer.map_err(|_| not_served())?;
    forward_request(
        &mut session.request,
        seen,
        &session.connection,
        &thread.shared.identity,
        || request_id(clock.entropy(), clock.entropy()),
    );
    match attempts::answer(thread, &target, transaction).await {
        Ok(committed) => Ok(committed),
        Err(Ended::Client) => {
            let session = &transaction.session;
            Err(understood(session, broken_upload(&session.upload)))
        }
        Err(Ended::Error(error)) => {
            count_failure(&target, &error);
            let Transaction { session, ctx, .. } = transaction;
            Err(hooks.fail_to_proxy(session, &error, ctx).await)
        }
        Err(Ended::Reply(reply)) => Err(reply),
    }
}

/// The protocol of an extended CONNECT is not one that may pass (RFC 9220 §3 says how that is told).
fn not_served() -> Reply {
    let status = StatusCode::NOT_IMPLEMENTED;
    reply::plain(status, "http_request_error", "this protocol is not served")
}

/// A reply of the proxy's own, as the client understands it.
fn understood(session: &Session, reply: Reply) -> Reply {
    if session.is_call() {
        grpc::answer(reply)
    } else {
        reply
    }
}

/// The client did not send its body: too much, too late, or not as HTTP has it.
fn broken_upload(upload: &Upload) -> Reply {
    if upload.is_over() {
        return reply::too_large();
    }
    let (status, why) = if upload.is_late() {
        (StatusCode::REQUEST_TIMEOUT, "the request body did not come")
    } else {
        (StatusCode::BAD_REQUEST, "the request body is malformed")
    };
    reply::plain(status, "http_request_error", why)
}

fn count_failure(target: &Target, error: &ProxyError) {
    let failures = &target.group.metrics.failures;
    match (error, error.delivery()) {
        (ProxyError::NoPeer(NoPeer::AllOpen { .. }), _) => failures.all_open.increment(),
        (ProxyError::NoPeer(_), _) => failures.no_peer.increment(),
        (_, Delivery::NotSent) => failures.not_sent.increment(),
        _ => failures.unknown.increment(),
    }
}

/// A reply of the proxy's own goes downstream.
fn own<N: Network, H: Hooks>(
    mut transaction: Transaction<H>,
    reply: Reply,
) -> Response<Body<N, H>> {
    transaction.commit(reply.status(), reply.headers());
    transaction.session.report.response_bytes = reply.body().len() as u64;
    transaction.complete();
    reply.map(Body::Full)
}

/// A peer's answer goes downstream: the commit point.
fn relay<N: Network, H: Hooks>(
    thread: &Rc<Thread<N, H>>,
    mut transaction: Transaction<H>,
    committed: Committed<N>,
) -> Response<Body<N, H>> {
    let Committed {
        answer,
        pick,
        prefix,
        transform,
        bounds,
        tunnel_idle,
    } = committed;
    if answer.head.status == StatusCode::SWITCHING_PROTOCOLS {
        // A transformation is one of bodies, and there is none.
        return switch(thread, transaction, answer, pick, tunnel_idle);
    }
    transaction.commit(answer.head.status, &answer.head.headers);
    if answer.connection.is_end_stream() && transform.is_none() {
        let head = finish(thread, &mut transaction, answer, &pick);
        transaction.session.report.response_bytes = prefix.len() as u64;
        return Response::from_parts(head, Body::Full(prefix));
    }
    let relay =
        Relay::new(thread, transaction, answer.connection, pick, bounds).with(prefix, transform);
    Response::from_parts(answer.head, Body::Relay(Box::new(relay)))
}

/// A peer has switched protocols: what follows its head is a tunnel.
fn switch<N: Network, H: Hooks>(
    thread: &Rc<Thread<N, H>>,
    mut transaction: Transaction<H>,
    answer: Answer<N>,
    pick: Pick,
    idle: Option<Duration>,
) -> Response<Body<N, H>> {
    let Answer {
        mut head,
        connection,
    } = answer;
    let Some(peer) = connection.into_line() else {
        // Something is under way on it, so nobody asked for this.
        let why = "the connection to the peer cannot be switched";
        let reply = reply::plain(StatusCode::BAD_GATEWAY, "proxy_internal_error", why);
        return own(transaction, reply);
    };
    if let Some(offer) = &transaction.offer {
        offer.answer(&mut head);
    }
    transaction.commit(head.status, &head.headers);
    let tunnel = Tunnel::new(thread, transaction, peer, pick, idle);
    Response::from_parts(head, Body::Tunnel(Box::new(tunnel)))
}
