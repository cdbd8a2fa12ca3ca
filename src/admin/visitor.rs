//! Whether a request may come in at all.

use std::net::SocketAddr;

use http::{StatusCode, header, request};
use proxy::mcp::addressing::{Forbidden, check_host};

use super::answer::{Answer, problem};

/// Refuses requests under a foreign name: a page of any site can make a browser send requests to a
/// loopback address under a name of that site (DNS rebinding), and read the answers. Loopback
/// names pass, and the address itself.
pub(super) fn check(head: &request::Parts, local: SocketAddr) -> Result<(), Forbidden> {
    let own = local.ip().to_canonical().to_string();
    let header = |name| head.headers.get(name).map(http::HeaderValue::as_bytes);
    let host = match head.uri.authority() {
        Some(authority) => Some(authority.as_str().as_bytes()),
        None => header(header::HOST),
    };
    let loopback = std::net::Ipv4Addr::LOCALHOST.into();
    check_host(host, header(header::ORIGIN), loopback, [own.as_str()])
}

/// What such a request is told.
pub(super) fn refusal(forbidden: Forbidden) -> Answer {
    let detail = match forbidden {
        Forbidden::Host => "the Host of the request is not one of this listener",
        Forbidden::Origin => "requests of web pages are not taken from this Origin",
    };
    problem(StatusCode::FORBIDDEN, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    #[test]
    fn only_our_own_names_pass() {
        let rows = [
            (Some("127.0.0.1:9900"), None, true),
            (Some("localhost:1"), None, true),
            (Some("[::1]:9900"), None, true),
            (Some("192.0.2.7:9900"), None, true),
            (Some("rebound.example:9900"), None, false),
            (Some("192.0.2.8:9900"), None, false),
            (Some("127.0.0.1:9900"), Some("http://localhost:9900"), true),
            (
                Some("127.0.0.1:9900"),
                Some("https://rebound.example"),
                false,
            ),
            (Some("127.0.0.1:9900"), Some("null"), false),
        ];
        for (host, origin, passes) in rows {
            let mut request = Request::builder().uri("/livez");
            for (name, value) in [(header::HOST, host), (header::ORIGIN, origin)] {
                if let Some(value) = value {
                    request = request.header(name, value);
                }
            }
            let (head, ()) = request.body(()).unwrap().into_parts();
            let checked = check(&head, "192.0.2.7:9900".parse().unwrap());
            assert_eq!(checked.is_ok(), passes, "{host:?} {origin:?}");
        }
    }
}
