//! What a client sees of a peer's answer.

use super::affinity::Marking;
use super::continuity::{self, Bindings};
use super::ctx::{Ctx, Mcp};
use super::events::{Source, standing, stream};
use super::form::Form;
use super::legacy_sse::{self, Asker, Body, Endpoint, Legacy, LegacyStream, Open};
use super::request::repeat_safe;
use super::{addressing, affinity, discover, faults, flows, listen, listing, oauth, reading};
use crate::hooks::{Attempt, Prefix, Reply, ResponseAction};
use crate::mcp::endpoint::EndpointStage;
use crate::mcp::fault::{Cause, Delivery, Fault, reply as fault_reply};
use crate::mcp::initialize::{ClientHello, ServerHello};
use crate::mcp::sealed::{Kept, Payload, seal};
use crate::mcp::standing::Standing;
use crate::mcp::{Asked, Era, Kind, Method, Principal, answer, header};
use crate::route::peer_path;
use crate::settings::PeerLoss;
use http::response::Parts;
use http::{HeaderValue, StatusCode, header as http_header};
use std::sync::Arc;
use std::time::Duration;

/// Shapes a peer's answer.
pub(super) fn shape(
    bindings: &Arc<Bindings>,
    attempt: &Attempt<'_>,
    head: &mut Parts,
    prefix: &Prefix<'_>,
    ctx: &mut Ctx,
) -> ResponseAction {
    if let Some(action) = listen::resumed(attempt, head, prefix, ctx) {
        return action;
    }
    let goes_on = ctx.mcp.as_ref().is_some_and(|mcp| mcp.goes_on());
    let action = first(bindings, attempt, head, prefix, ctx);
    if goes_on {
        let most = attempt.session.limits.mcp_body;
        continuity::as_events(action, Form::of(head) == Form::Events, prefix, most)
    } else {
        action
    }
}

/// Shapes an answer whose head goes downstream.
fn first(
    bindings: &Arc<Bindings>,
    attempt: &Attempt<'_>,
    head: &mut Parts,
    prefix: &Prefix<'_>,
    ctx: &mut Ctx,
) -> ResponseAction {
    if ctx
        .mcp
        .as_ref()
        .is_some_and(|mcp| mcp.held == attempt.number)
    {
        return held(attempt, head, prefix, ctx);
    }
    if let Some(action) = oauth::shape(attempt, head, prefix, ctx) {
        return action;
    }
    if let Some(action) = flows::note(attempt, head, prefix, ctx) {
        return action;
    }
    match &mut ctx.legacy {
        Some(Legacy::Message(message)) => return legacy_sse::answered(message, head),
        Some(Legacy::Stream(open)) => {
            return ResponseAction::Transform(Box::new(Body::reopened(open.stream())));
        }
        None => {}
    }
    let form = Form::of(head);
    if ctx.opens_stream && form == Form::Events {
        // Rule 4: no session comes with a stream.
        head.headers.remove(&header::SESSION_ID);
        return legacy_stream(bindings, attempt, ctx);
    }
    if let Some(mcp) = &mut ctx.mcp
        && mcp.body.is_none()
        && mcp.facts.kind == Kind::Message
    {
        // The modern era is routed by its head; what was asked for is in the body, sent by now.
        mcp.body = attempt.session.body_read();
    }
    let safe = ctx.mcp.is_some() && form == Form::Events && repeat_safe(attempt.session, ctx);
    let Some(mcp) = &mut ctx.mcp else {
        return ResponseAction::Forward;
    };
    if head.status.is_success() && mcp.facts.kind == Kind::Message {
        attempt
            .group
            .saw_mcp(attempt.peer, attempt.session.request.uri.path());
    }
    if let Some(doubt) = doubt(head.status)
        && may_move(mcp, attempt)
    {
        if !std::mem::replace(&mut mcp.unknown, true) {
            return ResponseAction::Relocate(doubt);
        }
        if let Some(denied) = mcp.denied.take() {
            return ResponseAction::Replace(denied);
        }
    }
    if mcp.facts.kind == Kind::End
        && let Some(action) = end(bindings, attempt, head, mcp)
    {
        return action;
    }
    note(bindings, attempt, head, mcp);
    if let Some(action) = discover::shape(attempt, head, prefix, ctx) {
        return action;
    }
    if let Some(action) = affinity::seek(attempt, head, prefix, ctx) {
        return action;
    }
    let Some(mcp) = &ctx.mcp else {
        return ResponseAction::Forward;
    };
    if let Some(reply) = masked(head, mcp) {
        return ResponseAction::Replace(reply);
    }
    // Rule 4: only a successful initialize gives a session id.
    let opens = mcp.facts.method == Some(Method::Initialize) && head.status == StatusCode::OK;
    if !opens {
        // One pass over few names costs less than a look for one that is as good as never there.
        if head.headers.keys().any(|name| *name == header::SESSION_ID) {
            head.headers.remove(&header::SESSION_ID);
        }
    } else if let Some(upstream) = head.headers.get(&header::SESSION_ID).cloned() {
        return initialize(attempt, head, prefix, ctx, &upstream);
    }
    if mcp.facts.kind == Kind::Stream && mcp.session.is_some() {
        return standing(bindings, attempt, form, ctx);
    }
    if mcp.facts.kind == Kind::Message && form == Form::Json {
        if let Some(mcp) = &mut ctx.mcp {
            mcp.held = attempt.number;
        }
        return held(attempt, head, prefix, ctx);
    }
    if let Some(action) = listen::opened(attempt, head, safe, ctx) {
        return action;
    }
    let Some(mcp) = &ctx.mcp else {
        return ResponseAction::Forward;
    };
    let action = if form == Form::Events {
        let source = Source::of(bindings, attempt, ctx.group.as_ref(), mcp);
        let source = source.marking(Marking::of(attempt, ctx));
        stream(form, mcp, safe, source)
    } else {
        ResponseAction::Forward
    };
    listing::watch(attempt, head, prefix, ctx, action)
}

/// Shapes an answer in JSON once it is whole. While its head has not gone downstream, a cut is a
/// failed attempt like any other: it may be made again, or is told as an error. Afterwards it would
/// be half an answer, of which most clients die.
fn held(attempt: &Attempt<'_>, head: &Parts, prefix: &Prefix<'_>, ctx: &Ctx) -> ResponseAction {
    let tied = ctx.mcp.as_ref().is_some_and(|mcp| mcp.tied);
    let most = attempt.session.limits.mcp_body;
    if tied && !prefix.ended && prefix.bytes.len() < most {
        return ResponseAction::Read(most);
    }
    if !tied && let Some(action) = reading::answer(attempt, prefix) {
        return action;
    }
    let marked = affinity::marked(attempt, head, prefix, ctx);
    let action = marked.unwrap_or(ResponseAction::Forward);
    listing::watch(attempt, head, prefix, ctx, action)
}

/// Whether an MCP session may be looked for elsewhere.
fn may_move(mcp: &Mcp, attempt: &Attempt<'_>) -> bool {
    let moves = attempt.group.settings.on_peer_loss == PeerLoss::Migrate;
    moves && mcp.session.is_some() && matches!(mcp.facts.kind, Kind::Message | Kind::Stream)
}

/// What a status says of an MCP session, if it may be that the peer does not know it.
fn doubt(status: StatusCode) -> Option<&'static str> {
    match status {
        // Rule 5: the peer has restarted, or has forgotten; the client has not ended it.
        StatusCode::NOT_FOUND => Some(continuity::UNKNOWN),
        // Servers that keep no record of ended sessions say so as for a missing id.
        StatusCode::BAD_REQUEST => Some(continuity::DOUBTED),
        _ => None,
    }
}

/// Ends an MCP session whose client is done with it.
fn end(
    bindings: &Bindings,
    attempt: &Attempt<'_>,
    head: &Parts,
    mcp: &Mcp,
) -> Option<ResponseAction> {
    let key = mcp.key(attempt.group)?;
    let status = head.status;
    // A peer that does not know it, or not for whoever asks, confirms nothing.
    let unknown = doubt(status).is_some();
    let known = || bindings.find(|| key, attempt.session.clock().recent());
    let headers = &attempt.session.request.headers;
    let may_end = || continuity::may_end(mcp, known().living().as_deref(), headers);
    let ends = status.is_success() || unknown && may_end();
    if !ends {
        return None;
    }
    bindings.end(key);
    ended(attempt, mcp);
    // Its peer has started over since. Clients of the TypeScript SDK throw whatever is no success.
    unknown.then(|| ResponseAction::Replace(faults::ended(mcp)))
}

/// Notes what an answer says about the MCP session.
fn note(bindings: &Bindings, attempt: &Attempt<'_>, head: &Parts, mcp: &Mcp) {
    let Some(key) = mcp.key(attempt.group) else {
        return;
    };
    let now = attempt.session.clock().recent();
    let opaque = mcp.principal.is_none()
        && attempt
            .session
            .request
            .headers
            .contains_key(http_header::AUTHORIZATION);
    if opaque && head.status.is_success() {
        // Rule 5: these credentials name nobody, but others can be told from them.
        let incarnation = attempt.group.peer(attempt.peer).known.incarnation();
        if let Some(binding) = bindings.enter(key, now) {
            let credential = continuity::credential(&attempt.session.request.headers);
            binding.served(credential, incarnation);
        }
    }
    if let (Some(method), Some(body)) = (mcp.facts.method, &mcp.body)
        && head.status.is_success()
        && Standing::is_about(mcp.facts.method)
        && let Some(binding) = bindings.enter(key, now)
    {
        binding.note(method, body, attempt.group);
    }
}

/// Counts an MCP session that its client has ended.
fn ended(attempt: &Attempt<'_>, mcp: &Mcp) {
    let peer = &attempt.group.peer(attempt.peer).metrics;
    peer.mcp_sessions.ended.increment();
    if let Some(opened) = &mcp.session {
        let now = attempt.session.clock().unix_seconds();
        let lived = now.saturating_sub(opened.payload.issued_at);
        let sessions = &attempt.group.metrics.mcp_sessions;
        sessions.duration.observe(Duration::from_secs(lived));
    }
}

/// A stream that may begin with `event: endpoint`, which makes it a legacy one.
fn legacy_stream(bindings: &Arc<Bindings>, attempt: &Attempt<'_>, ctx: &mut Ctx) -> ResponseAction {
    let session = attempt.session;
    let request = &session.request;
    let url = &attempt.group.peer(attempt.peer).url;
    let path = request.uri.path();
    // The path the peer sees: the route's part of ours replaced by its own.
    let theirs = ctx
        .route()
        .and_then(|route| peer_path(path, ctx.prefix.len(), &url.path, route.rewrite.as_deref()))
        .unwrap_or_else(|| path.to_owned());
    let stream = Arc::new(LegacyStream::new(session.limits.legacy_stream));
    ctx.legacy = Some(Legacy::Stream(Open::new(&stream, &bindings.streams)));
    let endpoint = Endpoint {
        stage: EndpointStage::new(),
        snapshot: Arc::clone(&ctx.snapshot),
        group: attempt.group.name().to_owned(),
        peer: attempt.peer_name().to_owned(),
        path: theirs,
        prefix: ctx.prefix.clone(),
        principal: Principal::of(&ctx.snapshot.binding, &request.headers),
        nonce: session.clock().nonce(),
        asker: match addressing::check(session, ctx) {
            Ok(()) => Asker::Admitted,
            Err(_) => Asker::Foreign,
        },
        stream,
        streams: Arc::clone(&bindings.streams),
        now: session.clock().now(),
    };
    let on_loss = attempt.group.settings.on_peer_loss;
    ResponseAction::Transform(Box::new(Body::opened(endpoint, on_loss)))
}

/// Rule 19: what a legacy client must not see in answer to a request with a known id.
fn masked(head: &Parts, mcp: &Mcp) -> Option<Reply> {
    if mcp.facts.era != Era::Legacy {
        return None;
    }
    let cause = faults::cause(head.status)?;
    let asked = mcp.asked();
    let requests = matches!(asked, Asked::Request(_) | Asked::Batch(_));
    // A peer's own JSON-RPC error says more than one of ours, but clients of the Python SDK 1.x
    // die of its status all the same, so it cannot pass.
    if !requests {
        return None;
    }
    let retry_after = head.headers.get(http_header::RETRY_AFTER);
    let retry_after = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
    let fault = Fault {
        cause,
        delivery: Delivery::Unknown,
        retry_after: retry_after.map(Duration::from_secs),
    };
    Some(faults::from(fault_reply(mcp.facts.era, &asked, &fault)))
}

/// Gives the client a session id of ours, which needs the peer's result.
fn initialize(
    attempt: &Attempt<'_>,
    head: &mut Parts,
    prefix: &Prefix<'_>,
    ctx: &Ctx,
    upstream: &HeaderValue,
) -> ResponseAction {
    let Some(mcp) = &ctx.mcp else {
        return ResponseAction::Forward;
    };
    // We asked for an answer that can be read; one that cannot gives an id without a replay.
    let coded = head.headers.contains_key(http_header::CONTENT_ENCODING);
    let form = Form::of(head);
    let text = answer::response(&head.headers, prefix.bytes);
    let complete = if form == Form::Events {
        text.is_some()
    } else {
        prefix.ended
    };
    if !coded
        && !complete
        && let Some(action) = reading::answer(attempt, prefix)
    {
        return action;
    }
    head.headers.remove(&header::SESSION_ID);
    let server = text.as_deref().and_then(ServerHello::peek);
    if !coded && server.is_none() && (complete || prefix.ended) {
        // An error, or nothing: no session comes with it.
        return stream(form, mcp, false, Source::default());
    }
    let client = mcp.body.as_deref().and_then(ClientHello::peek);
    let replay = client
        .zip(server)
        .and_then(|(client, server)| client.replay(&server));
    let payload = Payload {
        peer: attempt.peer_name().to_owned(),
        upstream: upstream.to_str().unwrap_or_default().to_owned(),
        issued_at: attempt.session.clock().unix_seconds(),
        replay,
    };
    let keys = &ctx.snapshot.keys;
    let nonce = attempt.session.clock().nonce();
    let group = attempt.group;
    let sealed = seal(keys, &payload, group.name(), mcp.principal.as_ref(), nonce).ok();
    if sealed
        .as_ref()
        .is_some_and(|sealed| sealed.replay == Kept::Dropped)
    {
        group.metrics.replay_dropped.increment();
    }
    let id = sealed.and_then(|sealed| HeaderValue::from_str(&sealed.id).ok());
    if let Some(id) = id {
        head.headers.insert(header::SESSION_ID.clone(), id);
        let peer = &group.peer(attempt.peer).metrics;
        peer.mcp_sessions.opened.increment();
        return stream(form, mcp, false, Source::default());
    }
    let fault = Fault {
        cause: Cause::BadAnswer,
        delivery: Delivery::Unknown,
        retry_after: None,
    };
    let answer = fault_reply(mcp.facts.era, &mcp.asked(), &fault);
    ResponseAction::Replace(faults::from(answer))
}
