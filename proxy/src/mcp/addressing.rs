//! Who may ask: Host and Origin of MCP requests (rule 27).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why a request may not come here: 403.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Forbidden {
    /// `Host` is neither a loopback name nor one that is allowed.
    Host,
    /// `Origin` is neither a loopback name nor one that is allowed.
    Origin,
}

/// Checks Host and Origin of an MCP request before they are rewritten, against DNS rebinding
/// (MCP 2025-11-25 "Security Warning"): a page of any site can make a browser send requests to a
/// loopback address under a name of that site. On a loopback listener only loopback names pass,
/// on any port, and the hosts in `allowed`: those the routes name and those configured, as
/// `RouteMatch::host` writes them. On other listeners everything passes. `host` is the `Host`
/// header, or the authority of the request.
///
/// # Errors
///
/// Which of both is foreign, or cannot be read.
pub fn check_host<'a>(
    host: Option<&[u8]>,
    origin: Option<&[u8]>,
    listener: IpAddr,
    allowed: impl IntoIterator<Item = &'a str> + Clone,
) -> Result<(), Forbidden> {
    if !listener.to_canonical().is_loopback() {
        return Ok(());
    }
    if origin.is_none() && host.is_some_and(is_usual) {
        return Ok(());
    }
    let passes = |host: &str| {
        is_loopback(host) || allowed.clone().into_iter().any(|name| is_named(host, name))
    };
    // A request without a host did not come through a name.
    if let Some(host) = host
        && !host_of(host).is_some_and(&passes)
    {
        return Err(Forbidden::Host);
    }
    if let Some(origin) = origin
        && !origin_host(origin).is_some_and(&passes)
    {
        return Err(Forbidden::Origin);
    }
    Ok(())
}

/// Whether a host is one that most clients of a loopback listener use. None of them is read twice.
fn is_usual(host: &[u8]) -> bool {
    let names: [&[u8]; 3] = [b"127.0.0.1", b"localhost", b"[::1]"];
    let rest = names.iter().find_map(|name| host.strip_prefix(*name));
    match rest {
        Some([]) => true,
        Some([b':', port @ ..]) => port.iter().all(u8::is_ascii_digit),
        None | Some(_) => false,
    }
}

fn is_loopback(host: &str) -> bool {
    if let Some(literal) = host.strip_prefix('[') {
        let literal = literal.strip_suffix(']').unwrap_or(literal);
        return literal
            .parse()
            .is_ok_and(|address: Ipv6Addr| address.is_loopback());
    }
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse()
            .is_ok_and(|address: Ipv4Addr| address.is_loopback())
}

/// Whether a host is the one named; `*.example.com` names every host below it.
fn is_named(host: &str, name: &str) -> bool {
    let Some(parent) = name.strip_prefix('*') else {
        return host.eq_ignore_ascii_case(name);
    };
    host.len()
        .checked_sub(parent.len())
        .filter(|length| *length > 0 && parent.starts_with('.'))
        .and_then(|length| host.get(length..))
        .is_some_and(|tail| tail.eq_ignore_ascii_case(parent))
}

/// The host of `Origin: scheme://host[:port]` (RFC 6454 §7); none for `null` and lists.
fn origin_host(origin: &[u8]) -> Option<&str> {
    let scheme = origin.windows(3).position(|bytes| bytes == b"://")?;
    host_of(origin.get(scheme + 3..)?)
}

/// The host of `host[:port]` (RFC 9110 §7.2), with the brackets of an IPv6 address.
fn host_of(authority: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(authority).ok()?;
    let end = if text.starts_with('[') {
        text.find(']')? + 1
    } else {
        text.find(':').unwrap_or(text.len())
    };
    let (host, port) = text.split_at_checked(end)?;
    let port_is_sound = port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    // Userinfo, paths and lists are for those who would read them differently.
    let host_is_sound = !host.is_empty()
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte));
    (port_is_sound && host_is_sound).then_some(host)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALLOWED: [&str; 2] = ["mcp.example.com", "*.example.org"];

    fn verdict(host: Option<&str>, origin: Option<&str>, listener: &str) -> Result<(), Forbidden> {
        let listener = listener.parse().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        check_host(
            host.map(str::as_bytes),
            origin.map(str::as_bytes),
            listener,
            ALLOWED,
        )
    }

    #[test]
    fn a_loopback_listener_takes_loopback_names_and_allowed_hosts() {
        for host in [
            "localhost",
            "LocalHost:8080",
            "127.0.0.1",
            "127.9.9.9:1",
            "[::1]",
            "[::1]:8080",
            "[0:0:0:0:0:0:0:1]",
            "mcp.example.com",
            "MCP.example.com:443",
            "a.example.org",
            "a.b.example.org:80",
        ] {
            assert_eq!(verdict(Some(host), None, "127.0.0.1"), Ok(()), "{host}");
            let origin = format!("http://{host}");
            assert_eq!(
                verdict(Some(host), Some(&origin), "::1"),
                Ok(()),
                "{origin}"
            );
        }
        assert_eq!(verdict(None, None, "127.0.0.1"), Ok(()));
    }

    #[test]
    fn a_loopback_listener_refuses_every_other_name() {
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "evil-localhost",
            "127.0.0.1.evil.example",
            "128.0.0.1",
            "127.1",
            "0.0.0.0",
            "[::2]",
            "[::1",
            "[::1]x",
            "::1",
            "localhost:80x",
            "localhost:80:80",
            "user@localhost",
            "user@a.example.org",
            "evil.example/.example.org",
            "localhost/x",
            "localhost, evil.example",
            "example.org",
            ".example.org",
            "evilexample.org",
            "xmcp.example.com",
            "é",
        ] {
            let found = verdict(Some(host), None, "127.0.0.1");
            assert_eq!(found, Err(Forbidden::Host), "{host}");
            let origin = format!("http://{host}");
            let found = verdict(Some("localhost"), Some(&origin), "::ffff:127.0.0.1");
            assert_eq!(found, Err(Forbidden::Origin), "{origin}");
        }
        for origin in [
            "null",
            "",
            "localhost",
            "http:localhost",
            "http://a http://b",
        ] {
            let found = verdict(Some("localhost"), Some(origin), "127.0.0.1");
            assert_eq!(found, Err(Forbidden::Origin), "{origin}");
        }
    }

    #[test]
    fn other_listeners_take_every_name() {
        for listener in ["0.0.0.0", "192.0.2.1", "::", "2001:db8::1"] {
            let found = verdict(Some("evil.example"), Some("null"), listener);
            assert_eq!(found, Ok(()), "{listener}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(host in any::<Vec<u8>>(), origin in any::<Vec<u8>>()) {
            let listener = IpAddr::V4(Ipv4Addr::LOCALHOST);
            let _verdict = check_host(Some(&host), Some(&origin), listener, ALLOWED);
        }
    }
}
