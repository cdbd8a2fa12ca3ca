//! The end of an event stream whose peer left.

use bytes::Bytes;
use http::HeaderMap;

use super::Fault;
use super::error::put_error;
use crate::mcp::{Id, header};

/// Where in an event stream the peer left off.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Position {
    /// Between two events.
    Boundary,
    /// Inside an event, after a complete line.
    InEvent,
    /// Inside a line.
    InLine,
}

/// Whether an event stream has carried an event id, so that clients resume it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Primed {
    /// It has not.
    No,
    /// It has.
    Yes,
}

/// The end of an event stream whose peer left without answering these requests (rule 13): an
/// error event for each. What of an event had already gone out is neutralised first: it becomes
/// an event of a type that clients pass over.
pub fn sse_error_event(
    ids: &[Id<'static>],
    fault: &Fault,
    position: Position,
    primed: Primed,
) -> Bytes {
    let mut text = String::new();
    if position == Position::InLine {
        text.push('\n');
    }
    if position != Position::Boundary {
        // The last `event` line of an event decides its type (WHATWG HTML §9.2.6).
        text.push_str("event: incomplete\n\n");
    }
    for id in ids {
        text.push_str("event: message\n");
        // TypeScript 1.x takes only results as final and resumes a primed stream: this id tells
        // its resume apart, which is then refused.
        if primed == Primed::Yes {
            text.push_str("id: ");
            text.push_str(FINAL_EVENT_ID);
            text.push('\n');
        }
        text.push_str("data: ");
        put_error(&mut text, Some(id), fault);
        text.push_str("\n\n");
    }
    Bytes::from(text)
}

/// What tells a client that a server which is gone does not wait for these answers any more
/// (rule 10).
pub fn cancelled<'a>(ids: impl IntoIterator<Item = &'a str>) -> Bytes {
    let mut text = String::new();
    for id in ids {
        text.push_str(
            "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",",
        );
        text.push_str("\"params\":{\"requestId\":");
        text.push_str(id);
        text.push_str(",\"reason\":\"the server is gone\"}}\n\n");
    }
    text.into()
}

/// Whether a client resumes after an error event of ours, so that there is nothing to resume:
/// the answer is 405 (rule 13).
pub fn resumes_after_error(headers: &HeaderMap) -> bool {
    headers
        .get(&header::LAST_EVENT_ID)
        .is_some_and(|id| id.as_bytes() == FINAL_EVENT_ID.as_bytes())
}

/// The id of the error event on a primed stream.
const FINAL_EVENT_ID: &str = "backstay-final";
