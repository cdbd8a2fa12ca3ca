//! Whether an MCP request may come in, and the peer its MCP session lives on.
#![expect(
    clippy::result_large_err,
    reason = "a refusal is rare, and is moved once: out of here and downstream"
)]

use super::continuity::{Bindings, Known, Place};
use super::ctx::{Ctx, Mcp};
use super::{addressing, faults};
use crate::group::Group;
use crate::hooks::Reply;
use crate::mcp::fault::Cause;
use crate::mcp::generation::{self, Belongs};
use crate::mcp::{Asked, Kind, Message, Principal, fault, header, sealed};
use crate::reply;
use crate::session::Session;
use crate::settings::SessionBinding;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header as http_header};
use lb::PeerIndex;
use std::sync::Arc;

/// Whether an MCP request may come in, and the peer its MCP session lives on.
pub(super) fn admit(
    bindings: &Bindings,
    session: &mut Session,
    ctx: &mut Ctx,
    group: &Arc<Group>,
) -> Result<Option<(Arc<Group>, PeerIndex)>, Reply> {
    if addressing::check(session, ctx).is_err() {
        return Err(faults::refuse(Cause::Forbidden, ctx));
    }
    let headers = &session.request.headers;
    let snapshot = Arc::clone(&ctx.snapshot);
    let Some(mcp) = &mut ctx.mcp else {
        return Ok(None);
    };
    if mcp.facts.kind == Kind::Other && session.request.method != http::Method::OPTIONS {
        // Rules 18 and 29: HEAD and unknown methods create nothing upstream, and older servers
        // make a session for each. OPTIONS passes: preflight is the peer's to answer unless `cors:` says otherwise (rule 27).
        return Err(method_not_allowed());
    }
    if mcp.facts.kind == Kind::Stream && fault::resumes_after_error(headers) {
        // Rule 13: there is nothing to resume after an error event of ours.
        return Err(method_not_allowed());
    }
    let nobody = !mcp.facts.carries.credential && snapshot.binding == SessionBinding::Auto;
    if !nobody {
        mcp.principal = Principal::of(&snapshot.binding, headers);
    }
    if !mcp.facts.session {
        return Ok(None);
    }
    let id = headers
        .get(&header::SESSION_ID)
        .and_then(|id| id.to_str().ok())
        .unwrap_or_default();
    let opened = sealed::open(&snapshot.keys, id, group.name(), mcp.principal.as_ref());
    let Ok(opened) = opened else {
        group.metrics.mcp_sessions.refused_unknown.increment();
        return Err(faults::refuse(Cause::UnknownSession, ctx));
    };
    let first = Place::first(&opened.payload);
    mcp.session = Some(opened);
    let key = || mcp.key(group).unwrap_or_default();
    let known = bindings.find(key, session.clock().recent());
    if matches!(known, Known::Ended) {
        // Rule 5: what its client has ended stays ended.
        group.metrics.mcp_sessions.refused_ended.increment();
        return Err(faults::refuse(Cause::UnknownSession, ctx));
    }
    let binding = known.living();
    if mcp.asked() == Asked::Moot
        && let Some(Message::Response { id: Some(id) }) = mcp.body.as_deref().map(Message::peek)
        && let Some(binding) = bindings.enter(key(), session.clock().recent())
    {
        binding.answers(id.json(), group);
    }
    let resumed = headers.get(&header::LAST_EVENT_ID);
    if let (Some(binding), Some(event)) = (&binding, resumed) {
        mcp.resumes = binding.polled(event.as_bytes());
    }
    let place = binding.and_then(|binding| binding.place()).unwrap_or(first);
    let home = snapshot.home(group, &place.peer);
    let generation = place.generation;
    mcp.place = Some(place);
    mcp.told = generation;
    if let (Some(ids), Some(event)) = (&mcp.resumes, resumed.and_then(|id| id.to_str().ok()))
        && generation::event(event, generation) == Belongs::Gone
    {
        return Err(faults::resumed_in_vain(ids));
    }
    if generation > 1 && !retell(session, mcp, generation) {
        group.metrics.migrations.dropped.increment();
        return Err(faults::refuse(Cause::SessionLost, ctx));
    }
    Ok(home)
}

/// Says what a client sends in the words of the upstream session of now. False: it belongs to one
/// that is gone, and nobody misses it (rule 12).
fn retell(session: &mut Session, mcp: &mut Mcp, generation: u32) -> bool {
    let headers = &mut session.request.headers;
    if let Some(id) = headers.remove(&header::LAST_EVENT_ID)
        && let Ok(id) = id.to_str()
        && let Belongs::Now(id) = generation::event(id, generation)
        && let Ok(id) = HeaderValue::from_str(id)
    {
        // Rule 11: it goes only to the peer that gave it; others open a stream from now on.
        headers.insert(header::LAST_EVENT_ID.clone(), id);
    }
    match mcp
        .body
        .as_deref()
        .map(|body| generation::answer(body, generation))
    {
        None | Some(None) => true,
        Some(Some(Belongs::Gone)) => false,
        Some(Some(Belongs::Now(body))) => {
            let body = Bytes::from(body);
            mcp.body = Some(body.clone());
            session.replace_body(body);
            true
        }
    }
}

fn method_not_allowed() -> Reply {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let mut reply = reply::plain(status, "http_request_denied", "method not allowed");
    let allow = HeaderValue::from_static("GET, POST, DELETE");
    reply.headers_mut().insert(http_header::ALLOW, allow);
    reply
}
