//! gRPC over HTTP/2, as far as a proxy has a part in it: what calls are, how they ended, how long
//! they may take, what is said when no peer answers, and the health protocol.
//!
//! The rules are those of the gRPC project's `PROTOCOL-HTTP2.md`, cited by section; status codes
//! are those of its `statuscodes.md`.

mod deadline;
mod health;
mod reply;
mod status;

pub(crate) use deadline::{remaining, timeout};
pub(crate) use health::check;
pub use health::{Serving, serving};
pub(crate) use reply::{answer, failure, trailers};
pub use status::Status;

use http::{HeaderMap, HeaderName, HeaderValue, Version, header};

/// Whether a request is a call: over HTTP/2, with `application/grpc`, perhaps followed by `+` or
/// `;` ("Requests"). gRPC-Web is another protocol, and names another type.
pub(crate) fn is_call(version: Version, headers: &HeaderMap) -> bool {
    version == Version::HTTP_2 && is_grpc(headers)
}

/// Whether a body is one of gRPC.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE) else {
        return false;
    };
    let kind = kind.as_bytes();
    kind.strip_prefix(CONTENT_TYPE.as_bytes())
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';' | b' ')))
}

/// How the call ended.
pub(crate) const STATUS: HeaderName = HeaderName::from_static("grpc-status");
/// Why, percent-encoded.
pub(crate) const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// How long the client waits.
pub(crate) const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// What calls and their answers are.
pub(crate) const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/grpc");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_known_by_version_and_type() {
        for (version, kind, is) in [
            (Version::HTTP_2, "application/grpc", true),
            (Version::HTTP_2, "application/grpc+proto", true),
            (Version::HTTP_2, "application/grpc;x=y", true),
            (Version::HTTP_2, "application/grpc-web", false),
            (Version::HTTP_2, "application/grpc-web+proto", false),
            (Version::HTTP_2, "application/json", false),
            (Version::HTTP_11, "application/grpc", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            assert_eq!(is_call(version, &headers), is, "{version:?} {kind}");
        }
        assert!(!is_grpc(&HeaderMap::new()));
    }
}
