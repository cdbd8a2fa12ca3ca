//! What a client sees of a peer's answer.

use super::ctx::{Ctx, Mcp};
use super::events::{Answering, Asker, Endpoint};
use super::{addressing, faults};
use crate::hooks::{Attempt, Prefix, Reply, ResponseAction};
use crate::mcp::endpoint::EndpointStage;
use crate::mcp::fault::{Cause, Delivery, Fault, reply as fault_reply};
use crate::mcp::initialize::{ClientHello, ServerHello};
use crate::mcp::sealed::{Kept, Payload, seal};
use crate::mcp::sse::Scanner;
use crate::mcp::{Asked, Era, Kind, Method, Principal, header, oauth};
use crate::route::peer_path;
use bytes::Bytes;
use http::response::Parts;
use http::{HeaderValue, StatusCode, header as http_header};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// Shapes a peer's answer.
pub(super) fn shape(
    attempt: &Attempt<'_>,
    head: &mut Parts,
    prefix: &Prefix<'_>,
    ctx: &mut Ctx,
) -> ResponseAction {
    if let Some(resource) = &ctx.resource {
        return document(head, prefix, &our_url(ctx, resource));
    }
    let events = head.status == StatusCode::OK && is(head, EVENT_STREAM) && !is_coded(head);
    if ctx.opens_stream && events {
        // Rule 4: no session comes with a stream.
        head.headers.remove(&header::SESSION_ID);
        return legacy_stream(attempt, ctx);
    }
    if let Some(mcp) = &mut ctx.mcp
        && mcp.body.is_none()
        && mcp.facts.kind == Kind::Message
    {
        // The modern era is routed by its head; what was asked for is in the body, sent by now.
        mcp.body = attempt.session.body_read();
    }
    let Some(mcp) = &ctx.mcp else {
        return ResponseAction::Forward;
    };
    if head.status.is_success() && mcp.facts.kind == Kind::Message {
        attempt
            .group
            .saw_mcp(attempt.peer, attempt.session.request.uri.path());
    }
    challenge(head, ctx);
    if let Some(reply) = masked(head, mcp) {
        return ResponseAction::Replace(reply);
    }
    let upstream = head.headers.get(&header::SESSION_ID).cloned();
    let opens = mcp.facts.method == Some(Method::Initialize) && head.status == StatusCode::OK;
    if let (Some(upstream), true) = (&upstream, opens) {
        return initialize(attempt, head, prefix, ctx, upstream);
    }
    // Rule 4: only a successful initialize gives a session id.
    if upstream.is_some() {
        head.headers.remove(&header::SESSION_ID);
    }
    stream(head, mcp)
}

/// An answer that comes as events must not end without its response.
fn stream(head: &Parts, mcp: &Mcp) -> ResponseAction {
    let events = head.status == StatusCode::OK && is(head, EVENT_STREAM) && !is_coded(head);
    if !events || mcp.facts.kind != Kind::Message {
        return ResponseAction::Forward;
    }
    let awaited = match mcp.asked() {
        Asked::Request(id) => vec![id],
        Asked::Batch(ids) => ids,
        _ => return ResponseAction::Forward,
    };
    let scanner = Scanner::new(awaited);
    ResponseAction::Transform(Box::new(Answering {
        scanner,
        era: mcp.facts.era,
    }))
}

/// A stream that may begin with `event: endpoint`, which makes it a legacy one.
fn legacy_stream(attempt: &Attempt<'_>, ctx: &Ctx) -> ResponseAction {
    let request = &attempt.session.request;
    let url = &attempt.group.peer(attempt.peer).url;
    let path = request.uri.path();
    // The path the peer sees: the route's part of ours replaced by its own.
    let stream = ctx
        .route()
        .and_then(|route| peer_path(path, ctx.prefix.len(), &url.path, route.rewrite.as_deref()))
        .unwrap_or_else(|| path.to_owned());
    ResponseAction::Transform(Box::new(Endpoint {
        stage: EndpointStage::new(),
        snapshot: Arc::clone(&ctx.snapshot),
        group: attempt.group.name().to_owned(),
        peer: attempt.peer_name().to_owned(),
        stream,
        prefix: ctx.prefix.clone(),
        principal: Principal::of(&ctx.snapshot.binding, &request.headers),
        nonce: attempt.session.clock().nonce(),
        asker: match addressing::check(attempt.session, &ctx.snapshot) {
            Ok(()) => Asker::Admitted,
            Err(_) => Asker::Foreign,
        },
    }))
}

/// Rule 19: what a legacy client must not see in answer to a request with a known id.
fn masked(head: &Parts, mcp: &Mcp) -> Option<Reply> {
    if mcp.facts.era != Era::Legacy {
        return None;
    }
    let cause = match head.status.as_u16() {
        429 => Cause::Overloaded,
        503 => Cause::NoPeer,
        504 => Cause::Timeout,
        500..=599 => Cause::BadAnswer,
        _ => return None,
    };
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
    let coded = is_coded(head);
    let events = is(head, EVENT_STREAM);
    let text = if events {
        event_data(prefix.bytes)
    } else {
        Some(Cow::Borrowed(prefix.bytes))
    };
    let complete = if events { text.is_some() } else { prefix.ended };
    if !coded && !complete && !prefix.ended && prefix.bytes.len() < LARGEST_RESULT {
        return ResponseAction::Read(LARGEST_RESULT);
    }
    head.headers.remove(&header::SESSION_ID);
    let server = text.as_deref().and_then(ServerHello::peek);
    if !coded && server.is_none() && (complete || prefix.ended) {
        // An error, or nothing: no session comes with it.
        return stream(head, mcp);
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
        return stream(head, mcp);
    }
    let fault = Fault {
        cause: Cause::BadAnswer,
        delivery: Delivery::Unknown,
        retry_after: None,
    };
    let answer = fault_reply(mcp.facts.era, &mcp.asked(), &fault);
    ResponseAction::Replace(faults::from(answer))
}

/// The data of the first event that carries a result, if it is complete.
fn event_data(stream: &[u8]) -> Option<Cow<'_, [u8]>> {
    let text = String::from_utf8_lossy(stream)
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    let (complete, _) = text.rsplit_once("\n\n")?;
    complete.split("\n\n").find_map(|event| {
        let lines = event.lines().filter_map(|line| line.strip_prefix("data:"));
        let data: Vec<&str> = lines
            .map(|line| line.strip_prefix(' ').unwrap_or(line))
            .collect();
        let data = data.join("\n");
        let answers = data.contains("\"result\"") || data.contains("\"error\"");
        answers.then(|| Cow::Owned(data.into_bytes()))
    })
}

/// Rule 28: challenges point to our document, which points to us.
fn challenge(head: &mut Parts, ctx: &Ctx) {
    if !matches!(
        head.status,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
    ) {
        return;
    }
    let Some(old) = head.headers.get(http_header::WWW_AUTHENTICATE) else {
        return;
    };
    let Some(origin) = our_origin(ctx) else {
        return;
    };
    let path = if ctx.prefix.is_empty() {
        ctx.path_of_request.as_str()
    } else {
        &ctx.prefix
    };
    let ours = oauth::metadata_url(&origin, path);
    if let Some(new) = oauth::rewrite_challenge(old, &ours) {
        head.headers.insert(http_header::WWW_AUTHENTICATE, new);
    }
}

/// A protected-resource document says that it is about our address.
fn document(head: &mut Parts, prefix: &Prefix<'_>, ours: &str) -> ResponseAction {
    if head.status != StatusCode::OK || !is(head, JSON) {
        return ResponseAction::Forward;
    }
    if !prefix.ended && prefix.bytes.len() < LARGEST_DOCUMENT {
        return ResponseAction::Read(LARGEST_DOCUMENT);
    }
    let Some(body) = oauth::rewrite_document(prefix.bytes, ours) else {
        return ResponseAction::Forward;
    };
    let mut reply = Reply::new(Bytes::from(body));
    *reply.headers_mut() = std::mem::take(&mut head.headers);
    reply.headers_mut().remove(http_header::CONTENT_LENGTH);
    ResponseAction::Replace(reply)
}

fn our_origin(ctx: &Ctx) -> Option<String> {
    let host = ctx.host.as_ref()?.to_str().ok()?;
    Some(format!("{}://{host}", ctx.scheme))
}

fn our_url(ctx: &Ctx, resource: &str) -> String {
    let path = if resource == "/" { "" } else { resource };
    format!("{}{path}", our_origin(ctx).unwrap_or_default())
}

/// Whether a body is compressed, although `identity` was asked for.
fn is_coded(head: &Parts) -> bool {
    head.headers.contains_key(http_header::CONTENT_ENCODING)
}

fn is(head: &Parts, kind: &[u8]) -> bool {
    let value = head
        .headers
        .get(http_header::CONTENT_TYPE)
        .map(HeaderValue::as_bytes);
    value
        .and_then(|value| value.get(..kind.len()))
        .is_some_and(|have| have.eq_ignore_ascii_case(kind))
}

const EVENT_STREAM: &[u8] = b"text/event-stream";
const JSON: &[u8] = b"application/json";
/// More of an `InitializeResult` is not looked at.
const LARGEST_RESULT: usize = 256 * 1024;
/// Nor of a protected-resource document.
const LARGEST_DOCUMENT: usize = 64 * 1024;
