//! What a client is told when no peer answers a call.

use super::{CONTENT_TYPE, MESSAGE, STATUS, Status, is_grpc};
use crate::error::ProxyError;
use crate::hooks::Reply;
use crate::reply::{PROXY_STATUS, describe};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use lb::{Cause, NoPeer};

/// The answer to a call that no peer answered: with headers only, and 200, since clients look at
/// the status of gRPC only then ("Responses": Trailers-Only).
pub(crate) fn failure(error: &ProxyError) -> Reply {
    let why = match error {
        ProxyError::Attempt(attempt) => format!("{error}: {attempt}"),
        _ => error.to_string(),
    };
    let mut reply = only_trailers(status(error), &why);
    let token = describe(error).token;
    if let Ok(value) = HeaderValue::from_str(&format!("backstay; error={token}")) {
        reply.headers_mut().insert(PROXY_STATUS, value);
    }
    reply
}

/// An answer of the proxy's own, as the client of a call understands it. What is none of an error,
/// or is gRPC already, stays.
pub(crate) fn answer(reply: Reply) -> Reply {
    let status = reply.status();
    if is_grpc(reply.headers()) || !(status.is_client_error() || status.is_server_error()) {
        return reply;
    }
    let text = String::from_utf8_lossy(reply.body()).into_owned();
    let said = text.lines().next().map(str::trim).unwrap_or_default();
    let text = if said.is_empty() || reply.body().len() > LONGEST {
        status.canonical_reason().unwrap_or_default()
    } else {
        said
    };
    let mut answer = only_trailers(Status::of_http(status), text);
    if let Some(proxy_status) = reply.headers().get(PROXY_STATUS) {
        answer
            .headers_mut()
            .insert(PROXY_STATUS, proxy_status.clone());
    }
    answer
}

/// How a call ends that had an answer already.
pub(crate) fn trailers(status: Status, why: &str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert(STATUS, HeaderValue::from(u16::from(status.code())));
    let message = percent_encoded(why);
    if let Ok(message) = HeaderValue::from_str(&message) {
        trailers.insert(MESSAGE, message);
    }
    trailers
}

fn only_trailers(status: Status, why: &str) -> Reply {
    let mut reply = Reply::new(Bytes::new());
    *reply.status_mut() = StatusCode::OK;
    *reply.headers_mut() = trailers(status, why);
    reply
        .headers_mut()
        .insert(header::CONTENT_TYPE, CONTENT_TYPE);
    reply
}

/// What an error is to the client of a call.
fn status(error: &ProxyError) -> Status {
    match error {
        ProxyError::Attempt(attempt) => match attempt.failure.cause {
            // The server, and not the network, was too slow or made no sense.
            Cause::HeadTimeout => Status::DEADLINE_EXCEEDED,
            Cause::Malformed => Status::INTERNAL,
            Cause::BodyAborted
            | Cause::Closed
            | Cause::Connect
            | Cause::ConnectTimeout
            | Cause::Lost
            | Cause::Refused
            | Cause::Reset
            | Cause::Tls
            | Cause::Unprocessed => Status::UNAVAILABLE,
        },
        ProxyError::Exhausted(_) | ProxyError::NoPeer(NoPeer::Busy) => Status::RESOURCE_EXHAUSTED,
        ProxyError::Hook(_) => Status::INTERNAL,
        ProxyError::NoPeer(_) => Status::UNAVAILABLE,
        ProxyError::Total(_) => Status::DEADLINE_EXCEEDED,
    }
}

/// Everything but printable ASCII, and `%` itself ("Responses": Percent-Encoded).
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if matches!(byte, b' '..=b'~') && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            for digit in [byte >> 4, byte & 15] {
                let digit = char::from_digit(digit.into(), 16).unwrap_or('0');
                encoded.push(digit.to_ascii_uppercase());
            }
        }
    }
    encoded
}

/// A message is for a log line.
const LONGEST: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_percent_encoded() {
        for (text, expected) in [
            ("no usable peer", "no usable peer"),
            ("100%", "100%25"),
            ("two\nlines", "two%0Alines"),
            ("\u{e9}", "%C3%A9"),
        ] {
            assert_eq!(percent_encoded(text), expected);
        }
    }

    #[test]
    fn answers_that_are_no_errors_stay_and_so_do_those_of_grpc() {
        let mut moved = Reply::new(Bytes::new());
        *moved.status_mut() = StatusCode::FOUND;
        assert_eq!(answer(moved).status(), StatusCode::FOUND);
        let mut said = only_trailers(Status::UNAVAILABLE, "later");
        *said.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        assert_eq!(answer(said).status(), StatusCode::SERVICE_UNAVAILABLE);
    }

    #[test]
    fn the_text_of_an_error_becomes_its_message() {
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        let plain = crate::reply::plain(status, "http_request_error", "it is too large");
        let answer = answer(plain);
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()[STATUS], "8");
        assert_eq!(answer.headers()[MESSAGE], "it is too large");
        assert_eq!(
            answer.headers()[PROXY_STATUS],
            "backstay; error=http_request_error"
        );
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/grpc");
        assert!(answer.body().is_empty());
    }
}
