//! What an HTTP/2 request head is in the words of HTTP/1.1, which the request path goes by.
//!
//! Connection-specific fields, a `TE` other than `trailers`, and a body that differs from its
//! `Content-Length` never get here: h2 resets such streams (RFC 9113 §8.2.2, §8.1.1).

use crate::guard::Refusal;
use crate::settings::Limits;
use crate::upgrade;
use bytes::{BufMut as _, BytesMut};
use http::header::{COOKIE, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};

/// Gives a head of HTTP/2 the `Host` and the one `Cookie` that HTTP/1.1 has.
pub(crate) fn translate_request(parts: &mut Parts, limits: &Limits) -> Result<(), Refusal> {
    // Before the crumbs of a cookie are joined: each costs a place, one byte on the wire may stand
    // for it, and h2 bounds their bytes but not their number (CVE-2026-47774).
    if parts.headers.len() > limits.headers {
        return Err(Refusal {
            status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            why: "the head has too many fields",
        });
    }
    // RFC 9113 §8.3.1: `:authority` is what `Host` is elsewhere; if both are there the guard wants
    // them to agree.
    if let Some(authority) = parts.uri.authority()
        && !parts.headers.contains_key(HOST)
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        parts.headers.insert(HOST, host);
    }
    join_cookies(&mut parts.headers);
    upgrade::translate(parts);
    Ok(())
}

/// Joins the crumbs of a cookie (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut crumbs = headers.get_all(COOKIE).iter();
    let (Some(first), Some(second)) = (crumbs.next(), crumbs.next()) else {
        return;
    };
    let mut whole = BytesMut::from(first.as_bytes());
    for crumb in std::iter::once(second).chain(crumbs) {
        whole.put(&b"; "[..]);
        whole.put(crumb.as_bytes());
    }
    if let Ok(whole) = HeaderValue::from_maybe_shared(whole.freeze()) {
        headers.insert(COOKIE, whole);
    }
}
