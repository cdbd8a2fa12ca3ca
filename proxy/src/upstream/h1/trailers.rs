//! Trailer fields, from bytes.

use super::fault::Fault;
use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};

/// Reads a trailer section that ends with its empty line.
pub(super) fn decode(section: &Bytes, most: usize) -> Result<HeaderMap, Fault> {
    let ends = |at: usize| at > 0 && section.get(at - 1) == Some(&b'\r');
    if !memchr::memchr_iter(b'\n', section).all(ends) {
        // Lines of chunked framing end in CRLF and nothing else.
        return Err(Fault::Trailers);
    }
    let mut fields = vec![httparse::EMPTY_HEADER; most];
    let found = match httparse::parse_headers(section, &mut fields) {
        // An empty line in the middle, by bare LFs, is no end.
        Ok(httparse::Status::Complete((size, found))) if size == section.len() => found,
        _ => return Err(Fault::Trailers),
    };
    let mut trailers = HeaderMap::new();
    for field in found {
        let name = HeaderName::from_bytes(field.name.as_bytes());
        let value = HeaderValue::from_maybe_shared(section.slice_ref(field.value));
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err(Fault::Trailers);
        };
        let appended = trailers.try_append(name, value);
        appended.map_err(|_| Fault::Trailers)?;
    }
    Ok(trailers)
}
