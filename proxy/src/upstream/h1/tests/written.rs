//! What is written, as httparse (with which hyper's server reads) understands it.

use super::super::encode::{Framing, encode};
use crate::upstream::UpstreamHead;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use proptest::prelude::*;

/// The request line and the fields of what we write for a head.
fn written(head: &UpstreamHead<'_>, framing: Framing) -> (String, HeaderMap) {
    let mut bytes = Vec::new();
    encode(head, framing, &mut bytes);
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut fields);
    let parsed = request.parse(&bytes).unwrap();
    assert_eq!(parsed.unwrap(), bytes.len(), "a head and nothing else");
    let line = format!("{} {}", request.method.unwrap(), request.path.unwrap());
    assert_eq!(request.version, Some(1));
    let mut headers = HeaderMap::new();
    for field in request.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(field.value).unwrap());
    }
    (line, headers)
}

#[test]
fn the_framing_is_told_once_and_by_us() {
    let all = |headers: &HeaderMap, name: HeaderName| {
        let values = headers.get_all(name).iter();
        values
            .map(|value| value.to_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let misleading = |method: Method, length: bool| {
        let request = Request::builder()
            .method(method)
            .uri("/x?y")
            .header("host", "a");
        let request = request.header("transfer-encoding", "gzip");
        let request = if length {
            request.header("content-length", "77")
        } else {
            request
        };
        request.body(()).unwrap().into_parts().0
    };
    for (method, announced, framing, length, coding) in [
        (Method::GET, true, Framing::Length(5), &["5"][..], &[][..]),
        (Method::GET, true, Framing::Chunked, &[], &["chunked"]),
        (Method::GET, true, Framing::None, &["0"], &[]),
        (Method::GET, false, Framing::None, &[], &[]),
        (Method::DELETE, false, Framing::None, &[], &[]),
        (Method::POST, false, Framing::None, &["0"], &[]),
        (Method::PUT, false, Framing::None, &["0"], &[]),
    ] {
        let row = format!("{method} {announced} {framing:?}");
        let request = misleading(method, announced);
        let (line, headers) = written(&UpstreamHead::new(&request), framing);
        assert!(line.ends_with(" /x?y"), "{row}: {line}");
        assert_eq!(all(&headers, header::CONTENT_LENGTH), length, "{row}");
        assert_eq!(all(&headers, header::TRANSFER_ENCODING), coding, "{row}");
        assert_eq!(all(&headers, header::HOST), ["a"], "{row}");
    }
}

#[test]
fn the_host_comes_first() {
    let request = Request::get("/").header("x-a", "1").header("host", "a");
    let request = request.body(()).unwrap().into_parts().0;
    let mut bytes = Vec::new();
    encode(&UpstreamHead::new(&request), Framing::None, &mut bytes);
    assert_eq!(bytes, b"GET / HTTP/1.1\r\nhost: a\r\nx-a: 1\r\n\r\n");
}

fn fields() -> impl Strategy<Value = Vec<(HeaderName, HeaderValue)>> {
    let name = "[a-z][a-z0-9-]{0,12}".prop_filter_map("framing is ours", |name| {
        let ours = ["content-length", "transfer-encoding", "host"];
        let name = HeaderName::from_bytes(name.as_bytes()).ok();
        name.filter(|name| !ours.contains(&name.as_str()))
    });
    let value = "([!-~\u{80}-\u{ff}]([ -~]{0,20}[!-~])?)?"
        .prop_filter_map("a value", |value| HeaderValue::from_str(&value).ok());
    prop::collection::vec((name, value), 0..20)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_as_it_was(
        sent in fields(),
        path in "/[a-zA-Z0-9/._~%-]{0,30}(\\?[a-z=&]{0,10})?",
    ) {
        let mut request = Request::get(&path).header("host", "a").body(()).unwrap().into_parts().0;
        for (name, value) in sent {
            request.headers.append(name, value);
        }
        let (line, headers) = written(&UpstreamHead::new(&request), Framing::None);
        prop_assert_eq!(line, format!("GET {path}"));
        prop_assert_eq!(headers, request.headers);
    }
}
