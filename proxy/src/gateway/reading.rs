//! How much of an answer is read before it goes downstream.

use crate::hooks::{Attempt, Prefix, ResponseAction};
use crate::metrics::Counter;

/// Asks for more of an answer to MCP; none if there is no more, or it is too long already.
pub(super) fn answer(attempt: &Attempt<'_>, prefix: &Prefix<'_>) -> Option<ResponseAction> {
    let group = attempt.group;
    let most = group.settings.mcp_limits.answer;
    more(prefix, most, &group.metrics.answers_unread)
}

/// The same for what a server says of itself.
pub(super) fn document(attempt: &Attempt<'_>, prefix: &Prefix<'_>) -> Option<ResponseAction> {
    let group = attempt.group;
    let most = group.settings.mcp_limits.document;
    more(prefix, most, &group.metrics.documents_unread)
}

fn more(prefix: &Prefix<'_>, most: usize, unread: &Counter) -> Option<ResponseAction> {
    if prefix.ended {
        return None;
    }
    if prefix.bytes.len() < most {
        return Some(ResponseAction::Read(most));
    }
    unread.increment();
    None
}
