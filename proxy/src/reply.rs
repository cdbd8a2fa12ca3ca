//! Answers of the proxy's own, with the status and the `Proxy-Status` that RFC 9209 gives them.

use crate::error::{AttemptError, ProxyError};
use crate::grpc;
use crate::hooks::Reply;
use crate::session::Session;
use crate::tls::{HandshakeError, HandshakeFailure};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use lb::{Cause, Delivery, NoPeer};
use std::time::Duration;

/// `Proxy-Status`, RFC 9209 §2.
pub const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// A short plain answer.
pub fn plain(status: StatusCode, error: &str, text: &str) -> Reply {
    let mut reply = Reply::new(Bytes::from(format!("{text}\n")));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(value) = HeaderValue::from_str(&format!("backstay; error={error}")) {
        headers.insert(PROXY_STATUS, value);
    }
    reply
}

/// The answer to a body that is longer than it may be (RFC 9110 §15.5.14).
pub(crate) fn too_large() -> Reply {
    let status = StatusCode::PAYLOAD_TOO_LARGE;
    plain(
        status,
        "http_request_error",
        "the request body is too large",
    )
}

/// The answer to a request to switch protocols that could not be passed on (RFC 9209 §2.3.26).
pub(crate) fn no_tunnel() -> Reply {
    let status = StatusCode::BAD_GATEWAY;
    let why = "the peer speaks HTTP/2 and makes no tunnels of its streams";
    plain(status, "http_upgrade_failed", why)
}

/// The answer to a request that no peer answered.
pub fn failure(session: &Session, error: &ProxyError) -> Reply {
    if session.is_call() {
        return grpc::failure(error);
    }
    let Failed {
        status,
        token,
        retry_after,
    } = describe(error);
    let mut reply = plain(status, token, &error.to_string());
    if let Some(wait) = retry_after {
        reply.headers_mut().insert(RETRY_AFTER, seconds(wait));
    }
    reply
}

/// What an error is on the wire.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Failed {
    /// The status.
    pub status: StatusCode,
    /// The error type of RFC 9209 §2.3.
    pub token: &'static str,
    /// When to come back.
    pub retry_after: Option<Duration>,
}

/// The status and the `Proxy-Status` error type of an error.
pub fn describe(error: &ProxyError) -> Failed {
    let bad = |token| Failed {
        status: StatusCode::BAD_GATEWAY,
        token,
        retry_after: None,
    };
    // A timeout is 504, never 502 (RFC 9110 §15.6.5; cloudflare/pingora#980).
    let late = |token| Failed {
        status: StatusCode::GATEWAY_TIMEOUT,
        token,
        retry_after: None,
    };
    let busy = |token, wait| Failed {
        status: StatusCode::SERVICE_UNAVAILABLE,
        token,
        retry_after: Some(wait),
    };
    match error {
        ProxyError::Attempt(attempt) => match attempt.failure.cause {
            Cause::Connect => bad("connection_refused"),
            Cause::ConnectTimeout => late("connection_timeout"),
            Cause::HeadTimeout => late("http_response_timeout"),
            Cause::Malformed => bad("http_protocol_error"),
            Cause::Tls => bad(tls_token(attempt)),
            Cause::BodyAborted => bad("http_response_incomplete"),
            Cause::Closed | Cause::Refused | Cause::Reset | Cause::Unprocessed => {
                bad("connection_terminated")
            }
            Cause::Lost => bad("destination_unavailable"),
        },
        ProxyError::Exhausted(_) => busy("proxy_internal_error", A_SECOND),
        ProxyError::Hook(_) => Failed {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            token: "proxy_internal_error",
            retry_after: None,
        },
        ProxyError::NoPeer(NoPeer::AllOpen { retry_after, .. }) => {
            busy("destination_unavailable", *retry_after)
        }
        ProxyError::NoPeer(NoPeer::Busy) => busy("connection_limit_reached", A_SECOND),
        ProxyError::NoPeer(NoPeer::NoneServes | NoPeer::NoneUsable | NoPeer::PinLost(..)) => {
            busy("destination_unavailable", A_SECOND)
        }
        ProxyError::Total(Delivery::NotSent) => late("connection_timeout"),
        ProxyError::Total(_) => late("http_response_timeout"),
    }
}

/// Why there is no TLS session, as RFC 9209 §2.3 has it.
fn tls_token(attempt: &AttemptError) -> &'static str {
    let source = attempt.source.as_deref();
    source
        .and_then(|source| source.downcast_ref::<HandshakeError>())
        .map_or(HandshakeFailure::Protocol, |error| error.failure)
        .token()
}

/// `Retry-After` in whole seconds, rounded up, at least one (RFC 9110 §10.2.3).
pub fn seconds(wait: Duration) -> HeaderValue {
    let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    HeaderValue::from(whole.max(1))
}

/// What a client is told to wait when nothing better is known.
const A_SECOND: Duration = Duration::from_secs(1);
