//! The head of a request, as bytes.

use super::super::head::UpstreamHead;
use http::header::{self, HeaderName};
use http::{HeaderValue, Method};
use std::io::Write as _;

/// How the end of a request is told (RFC 9112 §6).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Framing {
    /// In chunks.
    Chunked,
    /// By its length.
    Length(u64),
    /// There is no body.
    None,
}

/// Writes the head of a request.
///
/// The framing is the codec's own: `Content-Length` and `Transfer-Encoding` of the head are left
/// out, so that there is never both, and neither is ever wrong.
pub(super) fn encode(head: &UpstreamHead<'_>, framing: Framing, out: &mut Vec<u8>) {
    out.extend_from_slice(head.method().as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(head.path_and_query().as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    // First, where peers look for it (RFC 9110 §7.2).
    if let Some(host) = head.get(&header::HOST) {
        field(out, &header::HOST, host);
    }
    let mut length = false;
    for (name, value) in head.others() {
        if name == header::CONTENT_LENGTH {
            length = true;
        } else if name != header::HOST && name != header::TRANSFER_ENCODING {
            field(out, name, value);
        }
    }
    match framing {
        Framing::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        Framing::Length(length) => {
            // Writing to memory does not fail.
            drop(write!(out, "content-length: {length}\r\n"));
        }
        // RFC 9110 §8.6: methods that mean something by a body say that there is none.
        Framing::None if length || expects_body(head.method()) => {
            out.extend_from_slice(b"content-length: 0\r\n");
        }
        Framing::None => {}
    }
    out.extend_from_slice(b"\r\n");
}

fn expects_body(method: &Method) -> bool {
    [Method::POST, Method::PUT, Method::PATCH].contains(method)
}

fn field(out: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    let (name, value) = (name.as_str().as_bytes(), value.as_bytes());
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Writes a trailer section (RFC 9112 §7.1.2), with the chunk that says that the body has ended.
pub(super) fn encode_trailers(trailers: &http::HeaderMap, out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailers {
        field(out, name, value);
    }
    out.extend_from_slice(b"\r\n");
}
