//! What hyper lets through and no peer may see: one pass over the head of a request.
//!
//! Ambiguity is refused, never forwarded. The rows are those of the measured table of what hyper
//! accepts (ARCHITECTURE.md, "What hyper does not check").

use crate::hop::{HopByHop, is_option};
use crate::settings::Limits;
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Method, StatusCode, Version};

/// What one pass over a sound request head has found.
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent findings of one pass"
)]
pub(crate) struct Seen {
    /// Fields that end here.
    pub(crate) hop: HopByHop,
    /// `Forwarded`, `X-Forwarded-For`, `-Host` or `-Proto`, or `X-Real-IP`.
    pub(crate) forwarded: bool,
    /// `Client-Cert`, `Client-Cert-Chain` or `X-Forwarded-Client-Cert`.
    pub(crate) client_cert: bool,
    /// `Via`.
    pub(crate) via: bool,
    /// `X-Request-Id`.
    pub(crate) request_id: bool,
    /// `Max-Forwards`.
    pub(crate) max_forwards: bool,
    /// `Host`.
    pub(crate) host: bool,
    /// `Expect: 100-continue`.
    pub(crate) expect: bool,
    /// `Connection` lists `Upgrade`.
    pub(crate) upgrade: bool,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) why: &'static str,
}

const fn bad(why: &'static str) -> Refusal {
    Refusal {
        status: StatusCode::BAD_REQUEST,
        why,
    }
}

/// Looks at the head of a request.
pub(crate) fn inspect(parts: &Parts, limits: &Limits) -> Result<Seen, Refusal> {
    inspect_target(parts, limits)?;
    let mut seen = Seen::default();
    let mut fields = Fields::default();
    for (name, value) in &parts.headers {
        let name = name.as_str();
        fields.size += name.len() + value.len() + 4;
        match name {
            "host" => fields.hosts += 1,
            "connection" => {
                seen.hop.note(name);
                if nominates(value)? {
                    seen.hop.nominate();
                }
                seen.upgrade |= lists_upgrade(value);
            }
            "transfer-encoding" => {
                seen.hop.note(name);
                fields.codings += 1;
                // RFC 9112 §6.1: a coding that is not understood is 501. hyper decodes the last
                // `chunked` and would silently lose the others.
                if !value
                    .as_bytes()
                    .trim_ascii()
                    .eq_ignore_ascii_case(b"chunked")
                {
                    return Err(Refusal {
                        status: StatusCode::NOT_IMPLEMENTED,
                        why: "only the transfer coding `chunked` is understood",
                    });
                }
            }
            "content-length" => fields.lengths += 1,
            "expect" => {
                // RFC 9110 §10.1.1.
                if !value.as_bytes().eq_ignore_ascii_case(b"100-continue") {
                    return Err(Refusal {
                        status: StatusCode::EXPECTATION_FAILED,
                        why: "only `Expect: 100-continue` is understood",
                    });
                }
                seen.expect = true;
            }
            // Some peers fold `_` to `-`: a framing name in disguise.
            "content_length" | "transfer_encoding" | "transfer-encoding_" => {
                return Err(bad("a framing field with an underscore"));
            }
            "via" => seen.via = true,
            "x-request-id" => seen.request_id = true,
            "max-forwards" => seen.max_forwards = true,
            "forwarded" | "x-forwarded-for" | "x-forwarded-host" | "x-forwarded-proto"
            | "x-real-ip" => seen.forwarded = true,
            "client-cert" | "client-cert-chain" | "x-forwarded-client-cert" => {
                seen.client_cert = true;
            }
            _ if is_disguised(name) => return Err(bad("a field in disguise, with an underscore")),
            _ => {
                seen.hop.note(name);
            }
        }
    }
    fields.check(parts, limits)?;
    seen.host = fields.hosts == 1;
    Ok(seen)
}

/// The method and the target.
fn inspect_target(parts: &Parts, limits: &Limits) -> Result<(), Refusal> {
    // An extended CONNECT (RFC 8441) has become a GET that wants to switch by now.
    if parts.method == Method::CONNECT || parts.method == Method::TRACE {
        return Err(Refusal {
            status: StatusCode::METHOD_NOT_ALLOWED,
            why: "CONNECT and TRACE are not served",
        });
    }
    let uri = &parts.uri;
    let path = uri
        .path_and_query()
        .map_or("", http::uri::PathAndQuery::as_str);
    if path.len() > limits.target_size {
        return Err(Refusal {
            status: StatusCode::URI_TOO_LONG,
            why: "the target is too long",
        });
    }
    if let Some(authority) = uri.authority() {
        // RFC 9110 §4.2.4: userinfo in a target is an attack more often than not.
        if authority.as_str().contains('@') {
            return Err(bad("userinfo in the target"));
        }
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(bad("the target has no http or https scheme"));
        }
    } else if !path.starts_with('/') && (path != "*" || parts.method != Method::OPTIONS) {
        return Err(bad("the target is not a path"));
    }
    if !path.is_ascii() {
        return Err(bad("the target is not ASCII"));
    }
    Ok(())
}

#[derive(Default)]
struct Fields {
    size: usize,
    hosts: u32,
    codings: u32,
    lengths: u32,
}

impl Fields {
    fn check(&self, parts: &Parts, limits: &Limits) -> Result<(), Refusal> {
        if self.size > limits.head_size {
            return Err(Refusal {
                status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                why: "the head is too large",
            });
        }
        if self.codings > 1 || (self.codings > 0 && self.lengths > 0) {
            return Err(bad("the length of the body is ambiguous"));
        }
        if self.codings > 0 && parts.version == Version::HTTP_10 {
            // RFC 9112 §6.1: 1.0 knows no transfer codings.
            return Err(bad("a transfer coding in HTTP/1.0"));
        }
        // RFC 9112 §3.2: exactly one, unless 1.0 sends none.
        match self.hosts {
            0 if parts.version == Version::HTTP_10 => Ok(()),
            1 => inspect_host(parts),
            _ => Err(bad("there must be exactly one Host")),
        }
    }
}

fn inspect_host(parts: &Parts) -> Result<(), Refusal> {
    let host = parts
        .headers
        .get(header::HOST)
        .map(HeaderValue::as_bytes)
        .unwrap_or_default();
    if !is_host(host) {
        return Err(bad("the Host is not a host with an optional port"));
    }
    match parts.uri.authority() {
        // RFC 9112 §3.2.2 lets the target win; two different answers to "which host" are how
        // requests are smuggled past a route, so we refuse.
        Some(authority) if !authority.as_str().as_bytes().eq_ignore_ascii_case(host) => {
            Err(bad("the Host differs from the target"))
        }
        _ => Ok(()),
    }
}

/// Whether `host` is a `uri-host [ ":" port ]` (RFC 9110 §7.2), not empty.
pub(crate) fn is_host(host: &[u8]) -> bool {
    let (name, port) = match host {
        [b'[', rest @ ..] => {
            let Some(end) = rest.iter().position(|byte| *byte == b']') else {
                return false;
            };
            let inner = &rest[..end];
            let sound = inner
                .iter()
                .all(|byte| byte.is_ascii_hexdigit() || b":.".contains(byte));
            if inner.is_empty() || !sound {
                return false;
            }
            (inner, &rest[end + 1..])
        }
        _ => host.split_at(
            host.iter()
                .position(|byte| *byte == b':')
                .unwrap_or(host.len()),
        ),
    };
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=%:".contains(byte);
    let port_is_sound = match port {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    !name.is_empty() && name.iter().all(plain) && port_is_sound
}

/// Whether a name is one that others rely on, but for underscores: CGI and its like fold `_` and `-`
/// to one, so that a peer would take the client's word for ours.
fn is_disguised(name: &str) -> bool {
    if !name.contains('_') {
        return false;
    }
    let folded = name.replace('_', "-");
    is_one_of(folded.as_bytes(), &PROTECTED) || folded.starts_with("x-forwarded-")
}

/// Whether others rely on a field of this name, written with `_` or `-`.
pub(crate) fn is_protected(name: &str) -> bool {
    PROTECTED.contains(&name) || name.starts_with("x-forwarded-") || is_disguised(name)
}

/// Whether a `Connection` value names fields, none of which may be one that others rely on
/// (CVE-2022-31813, CVE-2024-45410).
fn nominates(value: &HeaderValue) -> Result<bool, Refusal> {
    let mut any = false;
    for token in value.as_bytes().split(|byte| *byte == b',') {
        let token = token.trim_ascii();
        if is_option(token) {
            continue;
        }
        if is_one_of(token, &PROTECTED) || starts_with(token, b"x-forwarded-") {
            return Err(bad("Connection names a field that must not be removed"));
        }
        any = true;
    }
    Ok(any)
}

/// Whether a `Connection` value lists `Upgrade`: only then is that field meant for us (RFC 9110
/// §7.8).
fn lists_upgrade(value: &HeaderValue) -> bool {
    let mut tokens = value.as_bytes().split(|byte| *byte == b',');
    tokens.any(|token| token.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
}

fn is_one_of(token: &[u8], names: &[&str]) -> bool {
    names
        .iter()
        .any(|name| token.eq_ignore_ascii_case(name.as_bytes()))
}

fn starts_with(token: &[u8], prefix: &[u8]) -> bool {
    token
        .get(..prefix.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}

const PROTECTED: [&str; 14] = [
    "authorization",
    "cache-control",
    "client-cert",
    "client-cert-chain",
    "content-length",
    "content-type",
    "cookie",
    "forwarded",
    "host",
    "mcp-protocol-version",
    "mcp-session-id",
    "transfer-encoding",
    "via",
    "x-real-ip",
];
