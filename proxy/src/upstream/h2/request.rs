//! The head of a request in the words of HTTP/2.

use crate::upstream::UpstreamHead;
use http::header::{self, HeaderName, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Uri, Version};

/// The head that goes into a stream (RFC 9113 §8.3.1, §8.2.2); none if it cannot be said.
///
/// `length` is that of the body, if it is known: what the head says may be of another.
pub(super) fn translate(
    head: &UpstreamHead<'_>,
    scheme: &Scheme,
    length: Option<u64>,
) -> Option<Request<()>> {
    let mut parts = head.to_parts();
    let host = parts.headers.remove(header::HOST)?;
    let mut uri = Uri::builder()
        .scheme(scheme.clone())
        .authority(Authority::try_from(host.as_bytes()).ok()?);
    let path = parts.uri.path_and_query();
    uri = uri.path_and_query(
        path.cloned()
            .unwrap_or_else(|| PathAndQuery::from_static("/")),
    );
    parts.uri = uri.build().ok()?;
    for name in CONNECTION {
        parts.headers.remove(name);
    }
    let announced = parts.headers.remove(header::CONTENT_LENGTH).is_some();
    if let Some(length) = length.filter(|length| announced || *length > 0) {
        parts.headers.insert(header::CONTENT_LENGTH, length.into());
    }
    // Trailers of the response are passed on, and gRPC servers want to hear it.
    let trailers = HeaderValue::from_static("trailers");
    parts.headers.insert(header::TE, trailers);
    parts.version = Version::HTTP_2;
    Some(Request::from_parts(parts, ()))
}

const CONNECTION: [HeaderName; 5] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];
