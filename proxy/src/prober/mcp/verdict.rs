//! What an answer to the prober says about the peer.

use crate::mcp::answer;
use bytes::Bytes;
use http::{Response, StatusCode, header};
use lb::Outcome;
use std::borrow::Cow;
use std::time::Duration;

/// What an answer to the prober says about the peer.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Verdict<'a> {
    /// It took the notification.
    Accepted,
    /// It wants a credential that the prober does not have.
    Barred,
    /// It has too much to do.
    Busy(Duration),
    /// It fails.
    Dead(StatusCode),
    /// It answers, but as nothing that speaks MCP: a captive page, another service.
    Foreign,
    /// It does not do what it was asked; with a JSON-RPC error if it gave one.
    Refused(Option<Cow<'a, [u8]>>),
    /// It did what it was asked: a JSON-RPC result.
    Result(Cow<'a, [u8]>),
}

impl<'a> Verdict<'a> {
    pub(super) fn of(response: &'a Response<Bytes>) -> Self {
        let status = response.status();
        let text = answer::response(response.headers(), response.body());
        match status.as_u16() {
            202 => Self::Accepted,
            200..=299 => match text {
                Some(text) if is_error(&text) => Self::Refused(Some(text)),
                Some(text) => Self::Result(text),
                None => Self::Foreign,
            },
            401 | 403 => Self::Barred,
            429 | 503 => {
                let after = response.headers().get(header::RETRY_AFTER);
                let after = after.and_then(|after| after.to_str().ok()?.trim().parse().ok());
                let outcome = Outcome::Answered {
                    status: status.as_u16(),
                    retry_after: after.map(Duration::from_secs),
                };
                // The one classifier says what is load, for requests and probes alike.
                match lb::classify(&outcome).verdict {
                    lb::Verdict::Overload { cooldown } => Self::Busy(cooldown),
                    _ => Self::Dead(status),
                }
            }
            400..=499 => Self::Refused(text),
            _ => Self::Dead(status),
        }
    }
}

/// Whether a JSON-RPC response is an error.
fn is_error(text: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Either {
        error: Option<serde::de::IgnoredAny>,
    }
    serde_json::from_slice(text).is_ok_and(|either: Either| either.error.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, wait: Option<&str>, body: &'static str) -> String {
        let mut response = Response::builder()
            .status(status)
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(wait) = wait {
            response = response.header(header::RETRY_AFTER, wait);
        }
        let response = response.body(Bytes::from_static(body.as_bytes())).unwrap();
        let text = format!("{:?}", Verdict::of(&response));
        text.split(['(', '{']).next().unwrap().to_owned()
    }

    #[test]
    fn what_lives_is_told_from_what_does_not() {
        let result = r#"{"jsonrpc":"2.0","id":1,"result":{"error":"an odd result"}}"#;
        let error = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}"#;
        for (status, wait, body, verdict) in [
            (200, None, result, "Result"),
            (200, None, error, "Refused"),
            (200, None, "<html>\"jsonrpc\" \"result\"</html>", "Foreign"),
            (202, None, "", "Accepted"),
            (401, None, "", "Barred"),
            (403, None, error, "Barred"),
            (400, None, error, "Refused"),
            (404, None, error, "Refused"),
            (405, None, "", "Refused"),
            (406, None, "", "Refused"),
            (421, None, "", "Refused"),
            (429, None, "", "Busy"),
            (429, Some("7"), "", "Busy"),
            (503, Some("7"), "", "Busy"),
            (503, None, "", "Dead"),
            (500, None, error, "Dead"),
            (502, None, "", "Dead"),
            (302, None, "", "Dead"),
        ] {
            assert_eq!(of(status, wait, body), verdict, "{status} {wait:?} {body}");
        }
    }
}
