//! What clients are told when no peer answers, in a form that none of them dies of.

use super::continuity::{self, Bindings};
use super::ctx::{Ctx, Mcp, Others};
use super::discover;
use crate::error::{AttemptError, Phase, ProxyError};
use crate::hooks::{Reply, RetryDecision};
use crate::mcp::fault::{Cause, Delivery, Fault, FaultReply, reply as fault_reply, resume_reply};
use crate::mcp::{Asked, Era, Id, Kind, Message, agree};
use crate::reply;
use crate::session::Session;
use http::StatusCode;
use lb::NoPeer;
use std::time::Duration;

/// The answer to a request that no peer answered.
pub(super) async fn failure(
    bindings: &Bindings,
    session: &mut Session,
    error: &ProxyError,
    ctx: &mut Ctx,
) -> Reply {
    let Some(mcp) = &mut ctx.mcp else {
        return reply::failure(session, error);
    };
    if let Some(denied) = mcp.denied.take() {
        // Rule 9: a peer's refusal of the credential answers the request that came with it.
        return denied;
    }
    if mcp.body.is_none() && mcp.facts.kind == Kind::Message {
        // The id of the request is in its body, which may not have been read yet.
        mcp.body = session.read_body(session.limits.replay_body).await.ok();
    }
    let mut fault = fault(error);
    if mcp.facts.kind == Kind::End
        && let Some(key) = ctx.group.as_deref().and_then(|group| mcp.key(group))
    {
        // Its peer is gone, and its client is done with it.
        let known = bindings.find(|| key, session.clock().now()).living();
        if continuity::may_end(mcp, known.as_deref(), &session.request.headers) {
            bindings.end(key);
        }
    }
    if mcp.session.is_some() && fault.delivery == Delivery::NotSent && is_loss(error) {
        fault.cause = unmoved(mcp);
    }
    let bound = mcp.session.is_none() && mcp.target.as_ref().is_some_and(|to| to.pin.is_some());
    if bound && fault.delivery == Delivery::NotSent && is_loss(error) {
        // Rule 26: others could not go on with it.
        fault.cause = Cause::OwnerLost;
    }
    if let Some(body) = &mcp.body
        && let Err(mismatch) = agree(&session.request.headers, &Message::peek(body))
    {
        // Rule 22: this is why it was not repeated, and what the client can mend.
        fault.cause = Cause::Mismatch(mismatch);
    }
    if !matches!(fault.cause, Cause::Mismatch(_))
        && let Some(group) = &ctx.group
        && let Some(reply) = discover::stand_in(session, mcp, group)
    {
        return reply;
    }
    from(fault_reply(mcp.facts.era, &mcp.asked(), &fault))
}

/// The answer to who ends an MCP session that its peer has lost already.
pub(super) fn ended(mcp: &Mcp) -> Reply {
    let fault = Fault {
        cause: Cause::PeerLost,
        delivery: Delivery::Unknown,
        retry_after: None,
    };
    from(fault_reply(mcp.facts.era, &mcp.asked(), &fault))
}

/// Why a request of an MCP session was not sent whose peer is lost, and which no other took over.
pub(super) fn unmoved(mcp: &Mcp) -> Cause {
    // "Session not found" is the end of it for every SDK, and as long as peers are only out of reach
    // it can go on. Without an id there is but a status to tell that, and the Python client 1.x
    // survives no other than 404.
    let asks = matches!(mcp.asked(), Asked::Batch(_) | Asked::Request(_));
    if mcp.others == Others::OutOfReach && asks {
        Cause::NoPeer
    } else {
        Cause::SessionLost
    }
}

/// Whether the peer is lost, and not merely busy.
pub(super) fn is_loss(error: &ProxyError) -> bool {
    match error {
        ProxyError::Attempt(_) => true,
        ProxyError::NoPeer(none) => !matches!(none, NoPeer::Busy),
        ProxyError::Exhausted(_) | ProxyError::Hook(_) | ProxyError::Total(_) => false,
    }
}

/// What follows an exchange that broke. An answer that was held until it is whole has not begun
/// for its client, so a cut of it is a failure like any other; one that belongs to an MCP session
/// moves with it.
pub(super) fn after(error: &AttemptError, ctx: &mut Ctx) -> RetryDecision {
    let Some(mcp) = &mut ctx.mcp else {
        return RetryDecision::Policy;
    };
    mcp.held = 0;
    if error.phase == Phase::Body && mcp.session.is_none() {
        RetryDecision::NextPeer { backoff: None }
    } else {
        RetryDecision::Policy
    }
}

/// A refusal before any peer was asked.
pub(super) fn refuse(cause: Cause, ctx: &Ctx) -> Reply {
    let fault = Fault {
        cause,
        delivery: Delivery::NotSent,
        retry_after: None,
    };
    match &ctx.mcp {
        Some(mcp) => from(fault_reply(mcp.facts.era, &mcp.asked(), &fault)),
        None => unread(cause, ctx),
    }
}

/// A refusal of a request whose body was not read.
pub(super) fn unread(cause: Cause, _ctx: &Ctx) -> Reply {
    let fault = Fault {
        cause,
        delivery: Delivery::NotSent,
        retry_after: None,
    };
    from(fault_reply(Era::Modern, &Asked::Unread, &fault))
}

/// What an error status of a peer is to a legacy client, where that must not see it (rule 19).
pub(super) fn cause(status: StatusCode) -> Option<Cause> {
    match status.as_u16() {
        429 => Some(Cause::Overloaded),
        503 => Some(Cause::NoPeer),
        504 => Some(Cause::Timeout),
        500..=599 => Some(Cause::BadAnswer),
        _ => None,
    }
}

/// The fault an error is to an MCP client.
pub(super) fn fault(error: &ProxyError) -> Fault {
    let delivery = match error.delivery() {
        lb::Delivery::NotSent => Delivery::NotSent,
        lb::Delivery::Answered | lb::Delivery::Unknown => Delivery::Unknown,
    };
    let a_second = Some(Duration::from_secs(1));
    let (cause, retry_after) = match error {
        ProxyError::Attempt(attempt) => match attempt.failure.cause {
            lb::Cause::HeadTimeout => (Cause::Timeout, None),
            lb::Cause::Malformed => (Cause::BadAnswer, None),
            _ if delivery == Delivery::NotSent => (Cause::NoPeer, a_second),
            _ => (Cause::PeerLost, None),
        },
        ProxyError::Hook(_) => (Cause::BadAnswer, None),
        ProxyError::NoPeer(NoPeer::AllOpen { retry_after, .. }) => {
            (Cause::NoPeer, Some(*retry_after))
        }
        ProxyError::Exhausted(_) | ProxyError::NoPeer(NoPeer::Busy) => {
            (Cause::Overloaded, a_second)
        }
        ProxyError::NoPeer(_) => (Cause::NoPeer, a_second),
        ProxyError::Total(_) => (Cause::Timeout, None),
    };
    Fault {
        cause,
        delivery,
        retry_after,
    }
}

/// The answer to who resumes a stream of answers that its peer took with it (rule 13): neither an
/// error status nor an empty stream ends the wait of clients.
pub(super) fn resumed_in_vain(ids: &[Id<'static>]) -> Reply {
    let fault = Fault {
        cause: Cause::PeerLost,
        delivery: Delivery::Unknown,
        retry_after: None,
    };
    from(resume_reply(ids, &fault))
}

pub(super) fn from(fault: FaultReply) -> Reply {
    // A stream that may stay open ends at once for now: the client comes back for another.
    let mut reply = Reply::new(fault.body);
    *reply.status_mut() = fault.status;
    *reply.headers_mut() = fault.headers;
    reply
}
