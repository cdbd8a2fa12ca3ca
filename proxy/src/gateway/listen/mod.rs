//! Streams of `subscriptions/listen` outlive their peers (rules 15 and 16).
//!
//! No SDK listens again by itself, so another peer goes on where one stopped: its acknowledgement
//! stays here if it promises no less than the client was promised.

mod relocate;
mod state;
mod stream;

pub(super) use relocate::relocate;
pub(super) use state::Listen;

use super::ctx::{Ctx, Mcp};
use super::form::Form;
use super::reading;
use crate::hooks::{Attempt, Prefix, ResponseAction};
use crate::mcp::events::{self, Cut, Events};
use crate::mcp::listening::Acknowledged;
use crate::mcp::{Era, Kind, Method};
use http::StatusCode;
use http::response::Parts;
use std::sync::Arc;
use stream::Listening;

/// The stream that a peer opens for a listener; none if the answer is something else.
pub(super) fn opened(
    attempt: &Attempt<'_>,
    head: &Parts,
    safe: bool,
    ctx: &mut Ctx,
) -> Option<ResponseAction> {
    let group = Arc::clone(ctx.group.as_ref()?);
    let mcp = ctx.mcp.as_deref_mut().filter(|mcp| listens(mcp))?;
    if Form::of(head) != Form::Events {
        return None;
    }
    let listen = mcp.listen.insert(Listen::default()).clone();
    listen.attached(&group, attempt.peer, attempt.session.clock().now());
    let stream = Listening::new(attempt, group, mcp, listen, safe);
    Some(ResponseAction::Transform(Box::new(stream)))
}

/// What becomes of an answer that is to go on with a listener's stream; none: it is no such answer.
pub(super) fn resumed(
    attempt: &Attempt<'_>,
    head: &Parts,
    prefix: &Prefix<'_>,
    ctx: &mut Ctx,
) -> Option<ResponseAction> {
    let group = Arc::clone(ctx.group.as_ref()?);
    let mcp = ctx.mcp.as_deref_mut()?;
    let listen = mcp.listen.clone()?;
    let peer = attempt.peer;
    if Form::of(head) != Form::Events {
        if !is_temporary(head.status) {
            listen.refused(peer);
        }
        return Some(ResponseAction::Relocate("the peer opens no such stream"));
    }
    let instead = match listen.promised() {
        // The last peer was lost before it promised anything.
        None => None,
        Some(promised) => {
            let Some(first) = first_message(prefix.bytes) else {
                if let Some(action) = reading::answer(attempt, prefix) {
                    return Some(action);
                }
                if !prefix.ended {
                    listen.refused(peer);
                }
                return Some(ResponseAction::Relocate("the peer promises nothing"));
            };
            if !Acknowledged::peek(&first).is_some_and(|here| here.covers(&promised)) {
                listen.refused(peer);
                return Some(ResponseAction::Relocate("the peer promises less"));
            }
            let most = group.settings.mcp_limits.subscriptions;
            Some(promised.announcements(listen.tools(&group, peer), most))
        }
    };
    listen.attached(&group, peer, attempt.session.clock().now());
    group.metrics.listens.moved.increment();
    tracing::info!(
        group = group.name(),
        peer = attempt.peer_name(),
        "mcp_listen_stream_moved"
    );
    let stream = Listening::new(attempt, group, mcp, listen, true).instead(instead);
    Some(ResponseAction::Transform(Box::new(stream)))
}

fn listens(mcp: &Mcp) -> bool {
    let facts = &mcp.facts;
    facts.era == Era::Modern
        && facts.kind == Kind::Message
        && facts.method == Some(Method::SubscriptionsListen)
}

/// Whether a peer may open the stream another time.
fn is_temporary(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
        )
}

/// The first message on a stream, if it is there whole.
fn first_message(stream: &[u8]) -> Option<String> {
    let mut events = Events::default();
    events.push(stream);
    std::iter::from_fn(|| events.cut()).find_map(|cut| match cut {
        Cut::Event(event) => events::message(&event),
        Cut::Part(_) => None,
    })
}
