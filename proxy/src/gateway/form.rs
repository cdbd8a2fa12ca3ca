//! What an answer comes as.

use http::response::Parts;
use http::{HeaderValue, StatusCode, header};

/// What an answer comes as, as far as it can be looked into.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// A stream of events.
    Events,
    /// One JSON document.
    Json,
    /// Anything else, and what is compressed although `identity` was asked for.
    Other,
}

impl Form {
    pub(super) fn of(head: &Parts) -> Self {
        let form = match head.headers.get(header::CONTENT_TYPE) {
            Some(kind) if starts(kind, b"text/event-stream") && head.status == StatusCode::OK => {
                Self::Events
            }
            Some(kind) if starts(kind, b"application/json") => Self::Json,
            _ => return Self::Other,
        };
        if head.headers.contains_key(header::CONTENT_ENCODING) {
            return Self::Other;
        }
        form
    }
}

fn starts(value: &HeaderValue, kind: &[u8]) -> bool {
    let start = value.as_bytes().get(..kind.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(kind))
}
