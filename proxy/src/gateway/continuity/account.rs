//! What is counted and logged of the moves of MCP sessions.

use super::binding::Place;
use super::migrate::Stays;
use crate::error::ProxyError;
use crate::group::Group;
use crate::hooks::Lost;
use crate::mcp::metrics::Loss;
use lb::Cause;
use std::time::Duration;

/// Why an MCP session has to move.
pub(super) fn reason(lost: &Lost<'_>) -> Loss {
    match lost {
        Lost::Cut => Loss::Cut,
        Lost::Refused(_) => Loss::Forgotten,
        Lost::Unanswered(ProxyError::Attempt(error)) => match error.failure.cause {
            Cause::Connect | Cause::ConnectTimeout | Cause::Tls => Loss::Connect,
            Cause::HeadTimeout => Loss::Timeout,
            Cause::Lost => Loss::Unusable,
            Cause::BodyAborted
            | Cause::Closed
            | Cause::Malformed
            | Cause::Refused
            | Cause::Reset
            | Cause::Unprocessed => Loss::Reset,
        },
        Lost::Unanswered(_) => Loss::Unusable,
    }
}

/// An MCP session has moved.
pub(super) fn moved(group: &Group, (from, to): (&Place, &Place), reason: Loss, took: Duration) {
    let metrics = &group.metrics.migrations;
    metrics.moved.increment(reason);
    metrics.duration.observe(took);
    let sessions = |place: &Place| {
        let peer = group.find(&place.peer)?;
        Some(&group.peer(peer).metrics.mcp_sessions)
    };
    if let Some(sessions) = sessions(from) {
        sessions.left.increment();
    }
    if let Some(sessions) = sessions(to) {
        sessions.came.increment();
    }
    tracing::info!(
        group = group.name(),
        from = %from.peer,
        to = %to.peer,
        reason = reason.name(),
        generation = to.generation,
        took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "mcp_session_migrated"
    );
}

/// An MCP session has not moved.
pub(super) fn stayed(group: &Group, from: &Place, reason: Loss, stays: &Stays) {
    let metrics = &group.metrics.migrations;
    let (outcome, denied) = match stays {
        Stays::Denied(_) => (&metrics.denied, true),
        Stays::NoPeer | Stays::OutOfReach => (&metrics.failed, false),
    };
    outcome.increment(reason);
    tracing::warn!(
        group = group.name(),
        from = %from.peer,
        reason = reason.name(),
        denied,
        "mcp_session_not_migrated"
    );
}
