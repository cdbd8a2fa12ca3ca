//! What a client that asks what a group speaks may see (rule 24): a client that is refused falls
//! back to the legacy era for as long as it lives.

use super::ctx::{Ctx, Mcp};
use super::{faults, reading};
use crate::group::Group;
use crate::hooks::{Attempt, Prefix, Reply, ResponseAction, Target};
use crate::known::{Eras, Serves};
use crate::mcp::discovery::{Discovery, error_code};
use crate::mcp::fault::{Cause, Delivery, Fault, reply as fault_reply};
use crate::mcp::{Asked, Era, Kind, Method, answer};
use crate::session::Session;
use bytes::Bytes;
use http::response::Parts;
use http::{HeaderValue, StatusCode, header};
use std::time::Duration;

/// What becomes of an answer to `server/discover`; none: what becomes of any other.
pub(super) fn shape(
    attempt: &Attempt<'_>,
    head: &Parts,
    prefix: &Prefix<'_>,
    ctx: &mut Ctx,
) -> Option<ResponseAction> {
    let mcp = ctx.mcp.as_deref()?;
    if !asks(mcp) {
        return None;
    }
    match head.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return None,
        StatusCode::TOO_MANY_REQUESTS => return masked(attempt.session, ctx),
        status if status.is_server_error() => return masked(attempt.session, ctx),
        _ => {}
    }
    if head.headers.contains_key(header::CONTENT_ENCODING) {
        return None;
    }
    let text = answer::response(&head.headers, prefix.bytes);
    if text.is_none()
        && let Some(action) = reading::answer(attempt, prefix)
    {
        return Some(action);
    }
    let (group, peer) = (attempt.group, attempt.peer);
    let eras = group.peer(peer).known.eras();
    if let Some(found) = text.as_deref().and_then(Discovery::peek) {
        let learned = found.versions.iter().copied().fold(eras, Eras::and);
        if learned != eras {
            group.learn(peer, learned);
        }
        group.remember(mcp.context(attempt.session), &found);
        return None;
    }
    // MCP 2026-07-28 "Error Codes": these are about the request, whoever answers it.
    let passes = text
        .as_deref()
        .and_then(error_code)
        .is_some_and(|code| (-32022..=-32020).contains(&code));
    if passes || eras.serves(Era::Modern) == Serves::Yes {
        return None;
    }
    // A legacy peer has said so itself; from now on it is not asked.
    group.learn(peer, eras.with(Era::Modern, Serves::No));
    group.only(Era::Modern)?;
    if let Some(mcp) = &mut ctx.mcp
        && mcp.moves < MOVES
    {
        mcp.moves += 1;
        return Some(ResponseAction::Relocate(ELSEWHERE));
    }
    masked(attempt.session, ctx)
}

/// Where a request goes that a legacy peer has refused: the same place, of which that peer is no
/// part any more.
pub(super) fn elsewhere(why: &str, ctx: &Ctx) -> Option<Target> {
    let target = ctx.mcp.as_ref()?.target.as_ref();
    target.filter(|_| why == ELSEWHERE).cloned()
}

/// What is said in place of a failure; none for any other request.
pub(super) fn stand_in(session: &Session, mcp: &Mcp, group: &Group) -> Option<Reply> {
    if !asks(mcp) {
        return None;
    }
    let asked = mcp.asked();
    if let Asked::Request(id) = &asked
        && let Some(result) = group.recall(mcp.context(session))
    {
        let mut body = format!(r#"{{"jsonrpc":"2.0","id":{},"result":"#, id.json()).into_bytes();
        body.extend_from_slice(&result);
        body.push(b'}');
        let mut reply = Reply::new(Bytes::from(body));
        let json = HeaderValue::from_static("application/json");
        reply.headers_mut().insert(header::CONTENT_TYPE, json);
        let never = HeaderValue::from_static("no-store");
        reply.headers_mut().insert(header::CACHE_CONTROL, never);
        return Some(reply);
    }
    let fault = Fault {
        cause: Cause::NoPeer,
        delivery: Delivery::NotSent,
        retry_after: Some(Duration::from_secs(1)),
    };
    Some(faults::from(fault_reply(Era::Modern, &asked, &fault)))
}

fn masked(session: &Session, ctx: &Ctx) -> Option<ResponseAction> {
    let (mcp, group) = (ctx.mcp.as_deref()?, ctx.group.as_deref()?);
    stand_in(session, mcp, group).map(ResponseAction::Replace)
}

/// Whether a request asks what is spoken, in the modern way.
fn asks(mcp: &Mcp) -> bool {
    let facts = &mcp.facts;
    facts.era == Era::Modern
        && facts.kind == Kind::Message
        && facts.method == Some(Method::ServerDiscover)
}

/// Why a request is moved.
const ELSEWHERE: &str = "a legacy peer was asked what it speaks";
/// How often one request is moved: as often as the engine would.
const MOVES: u8 = 2;
