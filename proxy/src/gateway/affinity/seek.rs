//! Looking for the peer that has a task nobody here remembers: it was made behind another replica,
//! before a restart, or very many tasks ago.

use crate::gateway::ctx::Ctx;
use crate::gateway::{elsewhere, reading};
use crate::hooks::{Attempt, Prefix, ResponseAction, Target};
use crate::mcp::answer;
use crate::mcp::discovery::error_code;
use crate::session::Session;
use http::header;
use http::response::Parts;

/// What becomes of an answer to a request about a task whose peer is being looked for; none: what
/// becomes of any other.
pub(in crate::gateway) fn seek(
    attempt: &Attempt<'_>,
    head: &Parts,
    prefix: &Prefix<'_>,
    ctx: &mut Ctx,
) -> Option<ResponseAction> {
    let mcp = ctx.mcp.as_deref_mut()?;
    let asked = mcp.seeks.as_mut()?;
    if head.headers.contains_key(header::CONTENT_ENCODING) {
        return None;
    }
    let text = answer::response(&head.headers, prefix.bytes);
    if text.is_none()
        && let Some(action) = reading::answer(attempt, prefix)
    {
        return Some(action);
    }
    // The peer that has it answers with a result; whoever does not, with an error.
    text.as_deref().and_then(error_code)?;
    asked.insert(attempt.peer);
    Some(ResponseAction::Relocate(SEEKS))
}

/// Where such a request goes next; none: every peer within reach was asked.
pub(in crate::gateway) fn sought(why: &str, session: &Session, ctx: &Ctx) -> Option<Target> {
    let mcp = ctx.mcp.as_deref()?;
    let asked = mcp.seeks.as_ref().filter(|_| why == SEEKS)?;
    let target = mcp.target.as_ref()?;
    let peer = elsewhere::peer(session, target, asked)?;
    Some(Target {
        pin: Some(peer),
        ..target.clone()
    })
}

/// Why a request is moved.
const SEEKS: &str = "the peer does not have the task";
