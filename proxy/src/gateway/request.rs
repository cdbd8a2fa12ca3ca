//! Where a request goes, and what a peer sees of it.
#![expect(
    clippy::result_large_err,
    reason = "a refusal is rare, and is moved once: out of here and downstream"
)]

use super::admit::admit;
use super::continuity::{self, Bindings};
use super::ctx::{Ctx, Mcp};
use super::{affinity, faults, fields, flows, key, legacy_sse, oauth, routing};
use crate::error::ProxyError;
use crate::group::Group;
use crate::hooks::{Attempt, Lost, Reply, Target, UpstreamHead};
use crate::mcp::fault::Cause;
use crate::mcp::{
    Context, Detected, Era, Facts, Kind, Message, Method, Repeat, agree, detect, header, token,
};
use crate::reply;
use crate::session::{ReadError, Session};
use crate::settings::{Protocol, ToolRetry};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header as http_header};
use lb::{NoPeer, PeerIndex};
use std::sync::Arc;

/// Where a request goes.
pub(super) async fn target(
    bindings: &Bindings,
    session: &mut Session,
    ctx: &mut Ctx,
) -> Result<Target, Reply> {
    let group = match (&ctx.group, ctx.refusal.take()) {
        (Some(group), None) => Arc::clone(group),
        (_, Some(refusal)) => return Err(*refusal),
        (None, None) => return Err(routing::none()),
    };
    let mut target = Target::group(Arc::clone(&group));
    shape(session, &mut target, ctx)?;
    // A message for a legacy event stream is known by its address, whatever headers it carries:
    // the TypeScript clients send `MCP-Protocol-Version` with it.
    let addressed = token::find(session.request.uri.path(), &ctx.prefix).is_some();
    let authorizes = flows::authorizes(&group, session, ctx);
    if ctx.document.is_none() && !addressed && !authorizes {
        ctx.mcp = learn(session, ctx, &group).await?.map(Box::new);
    }
    if ctx.mcp.is_some() {
        let home = match admit(bindings, session, ctx, &group)? {
            Some(home) => Some(home),
            None => affinity::home(session, ctx, &group).await?,
        };
        if let Some((group, peer)) = home {
            ctx.group = Some(Arc::clone(&group));
            (target.group, target.pin) = (group, Some(peer));
        }
        target.mcp = true;
        target.era = era(ctx, target.pin);
        if target.era.is_some() {
            group.acquainted().await;
        }
        patience(&mut target, ctx);
    } else {
        if let Some((group, peer)) = legacy_sse::target(bindings, session, ctx, &group).await? {
            ctx.group = Some(Arc::clone(&group));
            (target.group, target.pin) = (group, Some(peer));
        }
        target.mcp = target.pin.is_some() || ctx.document.is_some();
        if authorizes {
            flows::pin(&mut target, session, ctx).await;
        }
        if let Some(document) = &mut ctx.document {
            document.goes(&target);
        }
    }
    let resumes = ctx.mcp.as_deref().is_some_and(|mcp| mcp.facts.session);
    ctx.opens_stream = session.request.method == http::Method::GET
        && !resumes
        && accepts_events(session)
        && group.settings.protocol != Protocol::Http;
    if ctx.is_about_mcp() {
        // Rule 23: what we read in passing must not be coded.
        let headers = &mut session.request.headers;
        headers.insert(http_header::ACCEPT_ENCODING, IDENTITY);
    }
    let facts = ctx.mcp.as_deref().map(|mcp| &mcp.facts);
    target.hash = key::hash(&group, session, facts);
    target.region = key::region(&group, session, facts);
    if ctx.opens_stream || ctx.legacy.is_some() {
        ctx.base = Some(target.clone());
    }
    let Some(mcp) = &mut ctx.mcp else {
        return Ok(target);
    };
    mcp.target = Some(target.clone());
    if let (Some(_), Some(_)) = (&mcp.session, target.pin) {
        let stale = continuity::is_stale(bindings, &group, mcp, session.clock().recent());
        let lost = Lost::Refused(continuity::DOUBTED);
        let moved = if stale {
            continuity::relocate(bindings, session, lost, ctx).await
        } else {
            None
        };
        return Ok(moved.unwrap_or(target));
    }
    if mcp.session.is_none() {
        return Ok(target);
    }
    // The peer has left the group.
    let gone = ProxyError::NoPeer(NoPeer::NoneUsable);
    let moved = continuity::relocate(bindings, session, Lost::Unanswered(&gone), ctx).await;
    // Rule 9: a peer's refusal of the credential answers the request that came with it.
    let denied = ctx.mcp.as_mut().and_then(|mcp| mcp.denied.take());
    let refused = || {
        let mcp = ctx.mcp.as_deref();
        faults::refuse(mcp.map_or(Cause::SessionLost, faults::unmoved), ctx)
    };
    moved.ok_or_else(|| denied.unwrap_or_else(refused))
}

/// What the route has it otherwise than the group.
fn shape(session: &Session, target: &mut Target, ctx: &Ctx) -> Result<(), Reply> {
    let mut most = target.group.settings.max_body;
    if let Some(route) = ctx.route() {
        // The path of a protected-resource document is no path below the prefix.
        target.prefix = ctx.document.is_none().then_some(route.matches.path.len());
        target.rewrite.clone_from(&route.rewrite);
        target.host.clone_from(&route.host);
        target.retry.clone_from(&route.retry);
        target.timeouts = route.timeouts.unwrap_or(target.timeouts);
        target.upgrades.clone_from(&route.upgrades);
        most = route.max_body.or(most);
    }
    if let Some(most) = most {
        session.bound_body(most).map_err(|_| reply::too_large())?;
    }
    Ok(())
}

/// What a request is in MCP, and what its body says where that had to be read.
async fn learn(session: &Session, ctx: &Ctx, group: &Group) -> Result<Option<Mcp>, Reply> {
    let request = &session.request;
    let facts = match detect(group.settings.protocol, &request.method, &request.headers) {
        Err(mismatch) => return Err(faults::unread(Cause::Mismatch(mismatch), ctx)),
        Ok(Detected::NotMcp) => return Ok(None),
        Ok(Detected::NeedsBody) => None,
        // The modern era says in its head what is needed; the body is looked at before a repeat.
        Ok(Detected::Mcp(facts)) if facts.method.is_some() || facts.kind != Kind::Message => {
            return Ok(Some(Mcp::new(facts)));
        }
        Ok(Detected::Mcp(facts)) => Some(facts),
    };
    let Some(body) = read(session).await? else {
        return Ok(facts.map(Mcp::new));
    };
    let message = Message::peek(&body);
    let facts = match facts {
        None => Facts::from_body(&message),
        Some(mut facts) => {
            facts.learn(&message);
            Some(facts)
        }
    };
    let mcp = facts.map(|facts| Mcp::of_body(facts, &message, body.clone(), &request.headers));
    Ok(mcp)
}

/// The whole body, unless it is too long to look at.
pub(super) async fn read(session: &Session) -> Result<Option<Bytes>, Reply> {
    match session.read_body(session.limits.mcp_body).await {
        Ok(body) => Ok(Some(body)),
        Err(ReadError::TooLong) => Ok(None),
        Err(ReadError::Refused) => Err(reply::too_large()),
        Err(ReadError::Failed) => {
            let status = StatusCode::REQUEST_TIMEOUT;
            Err(reply::plain(
                status,
                "http_request_error",
                "the request body did not come",
            ))
        }
    }
}

/// The era that a peer must serve to be asked (rule 25). The peer of an MCP session has shown that.
fn era(ctx: &Ctx, pin: Option<PeerIndex>) -> Option<Era> {
    let facts = &ctx.mcp.as_deref()?.facts;
    let asks = matches!(facts.kind, Kind::Message | Kind::Stream);
    (asks && pin.is_none()).then_some(facts.era)
}

/// A tool may take its time: the time to the first byte bounds it only if the operator said so.
fn patience(target: &mut Target, ctx: &Ctx) {
    let Some(mcp) = &ctx.mcp else { return };
    let slow = match mcp.facts.method {
        Some(Method::ToolsCall) => true,
        Some(_) => false,
        // A batch, or a body that was not read.
        None => mcp.facts.kind == Kind::Message,
    };
    if slow && !target.timeouts.first_byte_for_tools {
        target.timeouts.first_byte = None;
    }
}

fn accepts_events(session: &Session) -> bool {
    let accepts = session.request.headers.get_all(http_header::ACCEPT).iter();
    let stream = b"text/event-stream";
    accepts.into_iter().any(|accept| {
        accept
            .as_bytes()
            .windows(stream.len())
            .any(|window| window.eq_ignore_ascii_case(stream))
    })
}

/// What a peer sees of a request: its own MCP session id, its own path.
pub(super) fn edit(attempt: &Attempt<'_>, head: &mut UpstreamHead<'_>, ctx: &mut Ctx) {
    if let Some(path) = &ctx.path {
        head.set_path(path.clone());
    }
    let peer = attempt.group.peer(attempt.peer);
    oauth::edit(attempt, head, ctx);
    fields::edit_request(head, attempt.session, ctx);
    if let Some(credential) = &peer.credential {
        // The client's own is for us, not for the peer.
        head.remove(&http_header::AUTHORIZATION);
        head.set(credential.name().clone(), credential.value().clone());
    }
    if ctx.is_about_mcp() {
        if ctx.origin.is_some() {
            // Rule 27: it was judged here; servers that check it know other names than ours.
            head.remove(&http_header::ORIGIN);
        }
        if ctx.edits().any(|edits| !edits.request.is_empty()) {
            // What the operator wants of other requests is no reason to have this answer coded.
            head.set(http_header::ACCEPT_ENCODING, IDENTITY);
        }
    }
    let stray = |mcp: &Mcp| mcp.session.is_none() && mcp.facts.carries.session_id;
    if ctx.path.is_some() || ctx.mcp.as_deref().is_some_and(stray) {
        // Rule 3: an id that was not opened here reaches no peer.
        head.remove(&header::SESSION_ID);
    }
    let Some(mcp) = &ctx.mcp else { return };
    if let Some(place) = &mcp.place {
        match &place.upstream {
            Some(id) => head.set(header::SESSION_ID.clone(), id.clone()),
            None => head.remove(&header::SESSION_ID),
        }
        if place.generation != mcp.told {
            // Rule 11: it goes only to the peer that gave it.
            head.remove(&header::LAST_EVENT_ID);
        }
    }
}

/// Whether a request may run twice.
pub(super) fn repeat_safe(session: &Session, ctx: &mut Ctx) -> bool {
    if ctx.path.is_some() {
        // A message for a legacy event stream is answered on the stream, which sees to it.
        return false;
    }
    let (Some(mcp), Some(group)) = (&mut ctx.mcp, &ctx.group) else {
        return session.request.method.is_idempotent();
    };
    if let Some(safe) = mcp.safe {
        return safe;
    }
    let tools = |name: Option<&str>| may_run_twice(group, || mcp.context(session), name);
    let by_head = mcp.facts.repeat(tools) == Repeat::Always;
    if mcp.facts.kind != Kind::Message || !by_head {
        return by_head;
    }
    if mcp.whole {
        return *mcp.safe.insert(true);
    }
    if mcp.body.is_none() {
        mcp.body = session.body_read();
    }
    let Some(body) = &mcp.body else {
        // Not read yet: the head is believed for the first attempt only.
        return session.report().attempts.is_empty() && by_head;
    };
    // Rule 22: legacy peers go by the body, so before a repeat it has the last word.
    let message = Message::peek(body);
    let agrees = agree(&session.request.headers, &message).is_ok();
    let tools = |name: Option<&str>| may_run_twice(group, || mcp.context(session), name);
    let safe = agrees && message.repeat(tools) == Repeat::Always;
    *mcp.safe.insert(safe)
}

/// Whether a tool may run twice: where annotations decide, if all peers agree for whoever calls
/// (rule 23).
pub(super) fn may_run_twice(
    group: &Group,
    context: impl FnOnce() -> Context,
    name: Option<&str>,
) -> bool {
    match &group.settings.retry_tools {
        ToolRetry::Annotated => name.is_some_and(|name| group.tools.agree(context(), name)),
        setting => setting.allows(name),
    }
}

/// What a peer whose answer may be read is asked for (RFC 9110 §12.5.3).
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");
