//! The life of a request, in order; the only loop is the attempt loop.

use crate::attempts::{self, Answer, Committed, Ended};
use crate::body::Body;
use crate::error::ProxyError;
use crate::exchange::Exchange;
use crate::guard::{Refusal, Seen, inspect};
use crate::headers::{forward_request, request_id};
use crate::hooks::{Flow, Hooks, Reply, Target};
use crate::network::Network;
use crate::relay::{Relay, finish};
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
        Err(refusal) => return refuse(thread, version, refusal),
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
    let answered = answer(thread, &mut transaction, seen).await;
    let unread = !transaction.session.upload.is_ended();
    let mut response = match answered {
        Ok(committed) => relay(thread, transaction, committed),
        Err(reply) => own(transaction, reply),
    };
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
    version: Version,
    refusal: Refusal,
) -> Response<Body<N, H>> {
    thread.shared.metrics.refused.increment();
    if matches!(refusal.status.as_u16(), 414 | 431) {
        thread.shared.metrics.limits.head.increment();
    }
    let mut reply = reply::plain(refusal.status, "http_request_error", refusal.why);
    if version != Version::HTTP_2 {
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
        return Err(reply);
    }
    let target = match hooks.upstream_group(session, ctx).await {
        Ok(target) => target,
        Err(reply) => {
            thread.shared.metrics.unrouted.increment();
            return Err(reply);
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
    transaction.offer = Offer::of(&session.request, seen, body, &target.upgrades);
    let clock = &thread.clock;
    forward_request(
        &mut session.request,
        seen,
        &session.connection,
        &thread.shared.identity,
        || request_id(clock.entropy(), clock.entropy()),
    );
    match attempts::answer(thread, &target, transaction).await {
        Ok(committed) => Ok(committed),
        Err(Ended::Client) => Err(broken_upload(&transaction.session.upload)),
        Err(Ended::Error(error)) => {
            count_failure(&target, &error);
            let Transaction { session, ctx, .. } = transaction;
            Err(hooks.fail_to_proxy(session, &error, ctx).await)
        }
        Err(Ended::Reply(reply)) => Err(reply),
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
    transaction.commit(reply.status());
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
    transaction.commit(answer.head.status);
    if answer.head.status == StatusCode::SWITCHING_PROTOCOLS {
        // A transformation is one of bodies, and there is none.
        return switch(thread, transaction, answer, pick, tunnel_idle);
    }
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
    transaction: Transaction<H>,
    answer: Answer<N>,
    pick: Pick,
    idle: Option<Duration>,
) -> Response<Body<N, H>> {
    let Answer { head, connection } = answer;
    let Some(peer) = connection.into_io() else {
        // Only a connection of HTTP/1.1 with nothing under way switches.
        let why = "the connection to the peer cannot be switched";
        let reply = reply::plain(StatusCode::BAD_GATEWAY, "proxy_internal_error", why);
        return own(transaction, reply);
    };
    let tunnel = Tunnel::new(thread, transaction, peer, pick, idle);
    Response::from_parts(head, Body::Tunnel(Box::new(tunnel)))
}
