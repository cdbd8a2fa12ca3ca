//! Who asks, and where from.

use std::net::{IpAddr, Ipv4Addr};

use http::uri::{Authority, PathAndQuery};
use proxy::mcp::addressing::check_host;
use proxy::mcp::{Principal, token};
use proxy::settings::SessionBinding;

use crate::input::Input;

/// Host, origin, credentials, and the address that a legacy event stream names, one a line.
pub fn caller(data: &[u8]) {
    let mut input = Input::new(data);
    let (host, origin) = (input.line(), input.line());
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let nobody: [&str; 0] = [];
    if check_host(Some(host), Some(origin), loopback, nobody).is_ok()
        && let Ok(host) = Authority::try_from(host)
    {
        assert!(is_loopback(host.host()), "{host} passes");
    }
    let credential = input.line();
    if let Ok(value) = http::HeaderValue::from_bytes(credential) {
        let mut headers = http::HeaderMap::new();
        headers.insert(http::header::AUTHORIZATION, value);
        let one = Principal::of(&SessionBinding::Auto, &headers);
        assert!(one == Principal::of(&SessionBinding::Auto, &headers));
        assert!(Principal::of(&SessionBinding::None, &headers).is_none());
    }
    let (endpoint, stream) = (input.text(), input.text());
    if let Some(path) = token::resolve(&endpoint, &stream) {
        assert!(path.starts_with('/'), "{path}");
        assert!(PathAndQuery::try_from(path.as_str()).is_ok(), "{path}");
        let bare = path.split('?').next().unwrap_or_default();
        let climbs = bare.split('/').any(|part| part == "." || part == "..");
        assert!(!climbs, "{path} climbs");
    }
    let _ = token::find(&endpoint, &stream);
}

fn is_loopback(host: &str) -> bool {
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || literal
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}
