//! What the proxy answers in place of a peer, in a form that no client dies of.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::{Asked, Era, Id, Mismatch};

/// Why a request has no answer from a peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cause {
    /// The peer answered with an error of its own (5xx), or with something that is not HTTP.
    BadAnswer,
    /// Host or Origin is not one that may come here.
    Forbidden,
    /// Headers and body disagree.
    Mismatch(Mismatch),
    /// No peer is usable.
    NoPeer,
    /// A limit of ours or of the peers is reached.
    Overloaded,
    /// The connection to the peer broke after the request went out.
    PeerLost,
    /// The peer the MCP session lived on is lost, and with it the session.
    SessionLost,
    /// The peer did not answer in time.
    Timeout,
    /// The MCP session id is not one of ours for this group and principal (rule 3).
    UnknownSession,
}

/// Whether a request has reached a peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Delivery {
    /// Certainly not.
    NotSent,
    /// Perhaps.
    Unknown,
}

/// A failure, as the client is told of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fault {
    /// What went wrong.
    pub cause: Cause,
    /// Whether the request has reached a peer.
    pub delivery: Delivery,
    /// When trying again makes sense, if that is known.
    pub retry_after: Option<Duration>,
}

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
        // Rule 12. An error status here kills the Python client 1.x with all its calls.
        (Era::Legacy, Asked::Moot) if !fault.cause.is_refusal() => {
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

/// Whether a client resumes after an error event of ours, so that there is nothing to resume:
/// the answer is 405 (rule 13).
pub fn resumes_after_error(headers: &HeaderMap) -> bool {
    headers
        .get(&super::header::LAST_EVENT_ID)
        .is_some_and(|id| id.as_bytes() == FINAL_EVENT_ID.as_bytes())
}

impl Cause {
    /// The JSON-RPC code. All but the protocol's own lie outside -32768..-32000 (rule 21):
    ///
    /// | code | cause |
    /// |---|---|
    /// | -31001 | no peer is usable |
    /// | -31002 | the connection to the peer broke after the request went out |
    /// | -31003 | the peer did not answer in time |
    /// | -31004 | a limit is reached |
    /// | -31005 | the MCP session is unknown or lost |
    /// | -31006 | the peer failed |
    /// | -31007 | Host or Origin refused |
    /// | -32020 | headers and body disagree (MCP 2026-07-28 `HeaderMismatch`) |
    pub fn code(self) -> i32 {
        match self {
            Self::BadAnswer => -31006,
            Self::Forbidden => -31007,
            Self::Mismatch(_) => -32020,
            Self::NoPeer => -31001,
            Self::Overloaded => -31004,
            Self::PeerLost => -31002,
            Self::SessionLost | Self::UnknownSession => -31005,
            Self::Timeout => -31003,
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::BadAnswer => "the server failed",
            Self::Forbidden => "this Host or Origin may not come here",
            Self::Mismatch(mismatch) => mismatch.message(),
            Self::NoPeer => "no server is available",
            Self::Overloaded => "too many requests",
            Self::PeerLost => "the connection to the server broke",
            Self::SessionLost | Self::UnknownSession => "session not found",
            Self::Timeout => "the server did not answer in time",
        }
    }

    /// The error of `Proxy-Status` (RFC 9209 §2.3).
    fn proxy_error(self) -> &'static str {
        match self {
            Self::BadAnswer => "backstay; error=http_protocol_error",
            Self::Forbidden => "backstay; error=http_request_denied",
            Self::Mismatch(_) | Self::SessionLost | Self::UnknownSession => {
                "backstay; error=http_request_error"
            }
            Self::NoPeer => "backstay; error=destination_unavailable",
            Self::Overloaded => "backstay; error=connection_limit_reached",
            Self::PeerLost => "backstay; error=connection_terminated",
            Self::Timeout => "backstay; error=http_response_timeout",
        }
    }

    /// Whether the request itself was refused: no peer would have helped.
    fn is_refusal(self) -> bool {
        matches!(
            self,
            Self::Forbidden | Self::Mismatch(_) | Self::UnknownSession
        )
    }

    /// Whether the same request may succeed later.
    fn is_temporary(self) -> bool {
        !self.is_refusal() && self != Self::SessionLost
    }
}

impl Fault {
    fn status(&self) -> StatusCode {
        match self.cause {
            Cause::Forbidden => StatusCode::FORBIDDEN,
            Cause::Mismatch(_) => StatusCode::BAD_REQUEST,
            Cause::Overloaded => StatusCode::TOO_MANY_REQUESTS,
            // Rule 3: for every reason the same 404.
            Cause::SessionLost | Cause::UnknownSession => StatusCode::NOT_FOUND,
            Cause::Timeout => StatusCode::GATEWAY_TIMEOUT,
            // 502 and 503 mean the same to every client; only 503 may say when to come back.
            Cause::BadAnswer | Cause::NoPeer | Cause::PeerLost => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Whether the client may send the same request again without harm.
    fn is_retryable(&self) -> bool {
        self.delivery == Delivery::NotSent && self.cause.is_temporary()
    }
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

/// Appends a JSON-RPC error. Without an id it has none, which MCP allows in the body of an HTTP
/// error (2025-03-26 "Sending Messages to the Server").
fn put_error(text: &mut String, id: Option<&Id<'static>>, fault: &Fault) {
    text.push_str("{\"jsonrpc\":\"2.0\",");
    if let Some(id) = id {
        text.push_str("\"id\":");
        text.push_str(id.json());
        text.push(',');
    }
    let delivery = match fault.delivery {
        Delivery::NotSent => "not_sent",
        Delivery::Unknown => "unknown",
    };
    let (code, message) = (fault.cause.code(), fault.cause.message());
    let retryable = fault.is_retryable();
    // Writing to a string cannot fail.
    let _infallible = write!(
        text,
        "\"error\":{{\"code\":{code},\"message\":\"{message}\",\
         \"data\":{{\"delivery\":\"{delivery}\",\"retryable\":{retryable}"
    );
    if retryable && let Some(wait) = fault.retry_after {
        let _infallible = write!(text, ",\"retryAfterMs\":{}", wait.as_millis());
    }
    text.push_str("}}}");
}

static PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// The id of the error event on a primed stream.
const FINAL_EVENT_ID: &str = "backstay-final";
