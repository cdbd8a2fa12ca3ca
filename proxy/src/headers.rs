//! What a proxy changes in the heads that pass it: hop-by-hop fields, `Via`, who forwarded what.

use crate::guard::Seen;
use crate::hop::{HopByHop, is_option};
use crate::session::ConnectionInfo;
use crate::upgrade::Offer;
use bytes::{BufMut as _, BytesMut};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{StatusCode, Version, response};
use std::net::IpAddr;

/// What this instance puts into the heads it forwards.
#[derive(Debug)]
pub(crate) struct Identity {
    /// The `received-by` of `Via`: ours alone, so that a loop is recognised.
    name: String,
    via_20: HeaderValue,
    via_11: HeaderValue,
    via_10: HeaderValue,
}

impl Identity {
    /// The identity of an instance; `entropy` tells it from others.
    pub(crate) fn new(entropy: u64) -> Self {
        let name = format!("backstay-{:08x}", entropy >> 32);
        let value = |version| {
            HeaderValue::from_str(&format!("{version} {name}"))
                .unwrap_or_else(|_| HeaderValue::from_static("1.1 backstay"))
        };
        Self {
            via_20: value("2.0"),
            via_11: value("1.1"),
            via_10: value("1.0"),
            name,
        }
    }

    /// Whether a request has been here before (RFC 9110 §7.6.3).
    pub(crate) fn is_in(&self, headers: &HeaderMap) -> bool {
        headers.get_all(header::VIA).iter().any(|value| {
            let hops = value.as_bytes().split(|byte| *byte == b',');
            hops.filter_map(|hop| hop.trim_ascii().split(|byte| *byte == b' ').nth(1))
                .any(|by| by == self.name.as_bytes())
        })
    }

    fn via(&self, version: Version) -> &HeaderValue {
        match version {
            Version::HTTP_2 => &self.via_20,
            Version::HTTP_10 => &self.via_10,
            _ => &self.via_11,
        }
    }
}

/// Turns the head of a request into the one that peers see, but for `Host` and path.
///
/// A trusted client is a proxy whose forwarding fields are added to; those of others are replaced.
pub(crate) fn forward_request(
    parts: &mut Parts,
    seen: Seen,
    connection: &ConnectionInfo,
    identity: &Identity,
    request_id: impl FnOnce() -> HeaderValue,
) {
    let headers = &mut parts.headers;
    seen.hop.strip(headers);
    if seen.expect {
        // The client gets its 100 from us once a peer is ready for the body (RFC 9110 §10.1.1).
        headers.remove(header::EXPECT);
    }
    let keep = seen.forwarded && connection.trusted;
    if seen.forwarded && !keep {
        for name in [
            FORWARDED,
            X_FORWARDED_FOR,
            X_FORWARDED_HOST,
            X_FORWARDED_PROTO,
            X_REAL_IP,
        ] {
            headers.remove(name);
        }
    }
    if keep {
        if let Some(client) = &connection.forwarded_for {
            add(headers, X_FORWARDED_FOR, client);
        }
        if headers.contains_key(&FORWARDED) {
            add(headers, FORWARDED, &forwarded(connection));
        }
    } else if let Some(client) = &connection.forwarded_for {
        headers.insert(X_FORWARDED_FOR, client.clone());
    } else {
        // Nothing stands for a client without an address in this field, which is no standard.
        headers.remove(X_FORWARDED_FOR);
    }
    if !(keep && headers.contains_key(&X_FORWARDED_PROTO)) {
        headers.insert(
            X_FORWARDED_PROTO,
            HeaderValue::from_static(connection.scheme()),
        );
    }
    if !(keep && headers.contains_key(&X_FORWARDED_HOST))
        && let Some(host) = headers.get(header::HOST)
    {
        let host = host.clone();
        headers.insert(X_FORWARDED_HOST, host);
    }
    if seen.client_cert && !connection.trusted {
        for name in CLIENT_CERTS {
            headers.remove(name);
        }
    }
    if let Some(certificate) = &connection.client_cert {
        // What is true of this connection wins over what a proxy in front says of another.
        headers.remove(CLIENT_CERT_CHAIN);
        headers.insert(CLIENT_CERT, certificate.clone());
    }
    if seen.via {
        add(headers, header::VIA, identity.via(parts.version));
    } else {
        headers.insert(header::VIA, identity.via(parts.version).clone());
    }
    if !seen.request_id {
        headers.insert(X_REQUEST_ID, request_id());
    }
}

/// `Forwarded`'s element for a client (RFC 7239 §6: an IPv6 address is bracketed and quoted, and a
/// client without an address is `unknown`).
fn forwarded(connection: &ConnectionInfo) -> HeaderValue {
    let proto = connection.scheme();
    let client = connection.client.map(|client| client.ip().to_canonical());
    let text = match client {
        Some(IpAddr::V4(ip)) => format!("for={ip};proto={proto}"),
        Some(IpAddr::V6(ip)) => format!("for=\"[{ip}]\";proto={proto}"),
        None => format!("for=unknown;proto={proto}"),
    };
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("for=unknown"))
}

/// Appends an element to a list-valued field, in one line.
fn add(headers: &mut HeaderMap, name: HeaderName, value: &HeaderValue) {
    let mut line = BytesMut::new();
    for present in headers.get_all(&name) {
        line.put(present.as_bytes());
        line.put(&b", "[..]);
    }
    line.put(value.as_bytes());
    if let Ok(line) = HeaderValue::from_maybe_shared(line.freeze()) {
        headers.insert(name, line);
    }
}

/// Turns the head of a peer's response into the one the client sees.
///
/// # Errors
/// The head cannot be relayed without changing what it means.
pub(crate) fn forward_response(
    head: &mut response::Parts,
    identity: &Identity,
    offer: Option<&Offer>,
) -> Result<(), &'static str> {
    let mut hop = HopByHop::default();
    let mut via = false;
    let mut lengths = 0;
    let mut coded = false;
    for (name, value) in &head.headers {
        match name.as_str() {
            "transfer-encoding" => {
                // hyper takes anything that ends in `chunked`; a coding would be lost.
                if !value
                    .as_bytes()
                    .trim_ascii()
                    .eq_ignore_ascii_case(b"chunked")
                {
                    return Err("a transfer coding that is not `chunked`");
                }
                hop.note("transfer-encoding");
                coded = true;
            }
            "connection" => {
                hop.note("connection");
                let mut tokens = value.as_bytes().split(|byte| *byte == b',');
                if tokens.any(|token| !is_option(token.trim_ascii())) {
                    hop.nominate();
                }
            }
            "content-length" => {
                lengths += 1;
                let bytes = value.as_bytes();
                if bytes.is_empty() || !bytes.iter().all(u8::is_ascii_digit) {
                    return Err("a Content-Length that is no number");
                }
            }
            "via" => via = true,
            other => {
                hop.note(other);
            }
        }
    }
    if lengths > 1 {
        return Err("more than one Content-Length");
    }
    let switches = head.status == StatusCode::SWITCHING_PROTOCOLS;
    let protocol = offer
        .filter(|_| switches)
        .and_then(|offer| offer.accepted(&head.headers));
    if switches && protocol.is_none() {
        return Err("an upgrade that was not asked for");
    }
    hop.strip(&mut head.headers);
    if lengths > 0 && (coded || switches || head.status == StatusCode::NO_CONTENT) {
        // hyper keeps both (resilience.md 3.1); RFC 9112 §6.3: the coding wins. A 101 and a 204
        // have none (RFC 9110 §8.6).
        head.headers.remove(header::CONTENT_LENGTH);
    }
    if let Some(protocol) = protocol {
        let upgrade = HeaderValue::from_static("upgrade");
        head.headers.insert(header::CONNECTION, upgrade);
        head.headers.insert(header::UPGRADE, protocol);
    }
    if via {
        add(&mut head.headers, header::VIA, identity.via(head.version));
    } else {
        head.headers
            .insert(header::VIA, identity.via(head.version).clone());
    }
    head.version = Version::HTTP_11;
    Ok(())
}

/// A new request id: 128 bits in hexadecimal.
pub(crate) fn request_id(high: u64, low: u64) -> HeaderValue {
    let mut text = [0; 32];
    let bytes = high.to_be_bytes().into_iter().chain(low.to_be_bytes());
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[hex(byte >> 4), hex(byte & 15)]);
    }
    HeaderValue::from_bytes(&text).unwrap_or_else(|_| HeaderValue::from_static("0"))
}

/// The digit of a number below 16, without a branch or a table.
const fn hex(nibble: u8) -> u8 {
    // Past 9 the letters begin 39 characters further on.
    nibble + b'0' + (nibble > 9) as u8 * 39
}

const FORWARDED: HeaderName = header::FORWARDED;
/// `X-Request-Id`: kept when the client sends it.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The client's certificate (RFC 9440 §2).
const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
const CLIENT_CERT_CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");
/// What peers may take for the word of a proxy about certificates (RFC 9440 §4).
const CLIENT_CERTS: [HeaderName; 3] = [
    CLIENT_CERT,
    CLIENT_CERT_CHAIN,
    HeaderName::from_static("x-forwarded-client-cert"),
];
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_its_bits_in_hexadecimal() {
        let id = request_id(0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210);
        assert_eq!(id, "0123456789abcdeffedcba9876543210");
    }

    #[test]
    fn a_loop_is_known_by_our_own_name_only() {
        let identity = Identity::new(7 << 32);
        for (via, expected) in [
            ("1.1 backstay-00000007", true),
            ("1.0 front, 1.1 backstay-00000007", true),
            ("1.1 backstay-00000008", false),
            ("1.1 backstay-00000007x", false),
            ("backstay-00000007", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::VIA, HeaderValue::from_static(via));
            assert_eq!(identity.is_in(&headers), expected, "{via}");
        }
    }
}
