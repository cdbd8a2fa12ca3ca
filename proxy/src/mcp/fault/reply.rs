//! The answer in place of a peer's.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::error::put_error;
use super::{Cause, Fault, Position, Primed, sse_error_event};
use crate::mcp::{Asked, Era, Id};

/// A complete answer.
#[derive(Clone, Debug)]
pub struct FaultReply {
    /// The status.
    pub status: StatusCode,
    /// All headers but the framing.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// What follows the body.
    pub ending: Ending,
}

/// What follows the body of an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// Nothing.
    End,
    /// The stream may stay open, with comments, until a peer can serve it; ending it at once is
    /// correct too, and makes the client come back.
    MayStayOpen,
}

/// The answer to a request that no peer answers (rules 19 to 21).
pub fn reply(era: Era, asked: &Asked, fault: &Fault) -> FaultReply {
    match (era, asked) {
        (_, Asked::Other) => Draft::of(fault.status(), fault).end(),
        // MCP 2026-07-28: GET and DELETE are gone.
        (Era::Modern, Asked::End | Asked::Stream) => {
            let mut draft = Draft::of(StatusCode::METHOD_NOT_ALLOWED, fault);
            draft.insert(ALLOW, HeaderValue::from_static("POST"));
            draft.end()
        }
        // What was to be ended is gone. A client that leaves has no use for an error.
        (Era::Legacy, Asked::End) if !fault.cause.is_refusal() => {
            Draft::of(StatusCode::OK, fault).end()
        }
        // 5xx makes clients give the stream up after two tries; an empty stream keeps them.
        (Era::Legacy, Asked::Stream) if fault.cause.is_temporary() => {
            Draft::of(StatusCode::OK, fault).comment()
        }
        // Rule 12: dropped only with the peer they were for. An error status here kills the
        // Python client 1.x with all its calls.
        (Era::Legacy, Asked::Moot)
            if matches!(fault.cause, Cause::PeerLost | Cause::SessionLost) =>
        {
            Draft::of(StatusCode::ACCEPTED, fault).end()
        }
        // Rule 19: HTTP 200 for requests with a known id, and only where the transport failed.
        (Era::Legacy, Asked::Batch(_) | Asked::Request(_)) if fault.cause.is_temporary() => {
            Draft::of(StatusCode::OK, fault).json(asked, fault)
        }
        // Rule 20, and what of rule 19 has no usable id or is no failure of the transport.
        _ => Draft::of(fault.status(), fault).json(asked, fault),
    }
}

/// The answer to who resumes a stream whose peer is gone, and these requests with it (rule 13).
pub fn resume_reply(ids: &[Id<'static>], fault: &Fault) -> FaultReply {
    let mut draft = Draft::of(StatusCode::OK, fault);
    draft.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    let body = sse_error_event(ids, fault, Position::Boundary, Primed::Yes);
    draft.with(body, Ending::End)
}

/// A reply in the making.
struct Draft {
    status: StatusCode,
    headers: HeaderMap,
}

impl Draft {
    /// The head that every reply of ours has. It never names an MCP session.
    fn of(status: StatusCode, fault: &Fault) -> Self {
        let mut draft = Self {
            status,
            headers: HeaderMap::with_capacity(5),
        };
        draft.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        draft.insert(
            PROXY_STATUS.clone(),
            HeaderValue::from_static(fault.cause.proxy_error()),
        );
        // RFC 9110 §10.2.3. An HTTP client repeats on it, so only where that is harmless.
        if (status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS)
            && fault.is_retryable()
            && let Some(wait) = fault.retry_after
        {
            let seconds = wait.as_millis().div_ceil(1000).max(1);
            let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
            draft.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        draft
    }

    fn insert(&mut self, name: HeaderName, value: HeaderValue) {
        self.headers.insert(name, value);
    }

    fn end(self) -> FaultReply {
        self.with(Bytes::new(), Ending::End)
    }

    fn comment(mut self) -> FaultReply {
        self.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        // Nothing but a comment: clients take an event without data for a broken message.
        let body = Bytes::from_static(b": no server is available\n\n");
        self.with(body, Ending::MayStayOpen)
    }

    fn json(mut self, asked: &Asked, fault: &Fault) -> FaultReply {
        self.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let mut body = String::with_capacity(160);
        if let Asked::Batch(ids) = asked {
            for (at, id) in ids.iter().enumerate() {
                body.push(if at == 0 { '[' } else { ',' });
                put_error(&mut body, Some(id), fault);
            }
            body.push(']');
        } else {
            put_error(&mut body, asked.ids().first(), fault);
        }
        self.with(Bytes::from(body), Ending::End)
    }

    fn with(self, body: Bytes, ending: Ending) -> FaultReply {
        FaultReply {
            status: self.status,
            headers: self.headers,
            body,
            ending,
        }
    }
}

static PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");
