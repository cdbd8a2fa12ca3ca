//! The handshake of WebSocket, where one side has it and the other has not (RFC 8441 §5).
//!
//! Over HTTP/1.1 a client sends a key, and the answer proves that it was understood (RFC 6455
//! §4.2.2). Over HTTP/2 there is neither, so whoever stands between the two makes up the one and
//! checks the other.

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue};

/// `Sec-WebSocket-Key`.
pub(crate) const KEY: HeaderName = http::header::SEC_WEBSOCKET_KEY;
/// `Sec-WebSocket-Accept`.
pub(crate) const ACCEPT: HeaderName = http::header::SEC_WEBSOCKET_ACCEPT;

/// A new key: 16 bytes that were drawn (RFC 6455 §4.1).
pub(crate) fn key(high: u64, low: u64) -> HeaderValue {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&high.to_be_bytes());
    bytes[8..].copy_from_slice(&low.to_be_bytes());
    value(&STANDARD.encode(bytes))
}

/// What answers a key (RFC 6455 §4.2.2, 5.4).
pub(crate) fn accept(key: &HeaderValue) -> HeaderValue {
    let mut hash = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key.as_bytes().trim_ascii());
    hash.update(GUID);
    value(&STANDARD.encode(hash.finish()))
}

/// Base64 is always a field value.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// RFC 6455 §1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_6455_comes_out() {
        let key = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(accept(&key), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_key_is_its_bytes_in_base64() {
        let key = key(0x7468_6520_7361_6d70, 0x6c65_206e_6f6e_6365);
        assert_eq!(key, "dGhlIHNhbXBsZSBub25jZQ==");
    }
}
