//! The URL of a peer, and settings made of nothing but URLs.

use std::net::Ipv6Addr;

use proxy::network::Address;
use proxy::settings::{GroupSettings, ListenerSettings, PeerSettings, PeerUrl, Scheme, Settings};

use crate::finding::{Finding, Findings};
use crate::problem::{Code, Problems};
use crate::redact::Redacted;
use crate::source::Source;

/// Settings for `URL…` without a file: one listener and one group `default` whose peers have the
/// default priority, in the default strategy. Peers are named after host and port.
///
/// # Errors
///
/// Every URL that cannot be a peer, URLs given twice, and URLs whose paths differ.
pub fn from_urls(urls: &[String], listen: Address) -> Result<Settings, Problems> {
    let mut found = Findings::default();
    let mut peers: Vec<PeerSettings> = Vec::new();
    for (i, text) in urls.iter().enumerate() {
        let path = format!("URL {}", i + 1);
        match parse(text) {
            Ok(url) if peers.iter().any(|peer| peer.url == url) => {
                let message = format!("URL {} is there twice", i + 1);
                found.add(Finding::new(Code::DuplicateName, &path, message));
            }
            Ok(url) => {
                if peers
                    .first()
                    .is_some_and(|first| first.url.path != url.path)
                {
                    let message =
                        format!("the path of URL {} differs from that of the first", i + 1);
                    let finding = Finding::new(Code::Contradiction, &path, message);
                    found.add(finding.help(
                        "without a file every request goes to any of the URLs, its path unchanged",
                    ));
                }
                peers.push(PeerSettings {
                    peer: lb::Peer::new(name_of(&url)),
                    url,
                    credential: None,
                });
            }
            Err(bad) => {
                let message = format!("URL {}: {}", i + 1, bad.message);
                found.add(Finding::new(bad.code, &path, message).help(bad.help));
            }
        }
    }
    if urls.is_empty() {
        found.add(Finding::new(Code::MissingKey, "", "there is no URL"));
    }
    let source = Source::new("arguments", "");
    let problems = found.finish(&Redacted::unparsed(&source));
    if !problems.is_empty() {
        return Err(Problems::new(problems));
    }
    Ok(Settings {
        listeners: vec![ListenerSettings::new(listen)],
        groups: vec![GroupSettings::new("default", peers)],
        ..Settings::default()
    })
}

/// Why a text is not the URL of a peer.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct BadUrl {
    pub(crate) code: Code,
    pub(crate) message: &'static str,
    pub(crate) help: &'static str,
}

/// The name of a peer that has none: host and port, since both are stable and short.
pub(crate) fn name_of(url: &PeerUrl) -> String {
    match url.socket().and_then(std::path::Path::file_stem) {
        // The name of a peer is letters, digits and a few signs.
        Some(stem) => stem.to_string_lossy().replace(not_a_name, "_"),
        None => match url.service() {
            Some(service) => service.to_owned(),
            None => format!("{}:{}", url.host, url.port),
        },
    }
}

fn not_a_name(c: char) -> bool {
    !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-' | '.')
}

/// Reads `http://HOST[:PORT][/PATH]`, or `https://` (RFC 3986 §3); with `+srv` before the colon, the
/// host is the name of a service and there is no port.
pub(crate) fn parse(text: &str) -> Result<PeerUrl, BadUrl> {
    let Some((scheme, rest)) = text.split_once(':') else {
        return bad(
            "the URL has no scheme",
            "write it as in `http://127.0.0.1:9001/mcp`",
        );
    };
    let lower = scheme.to_ascii_lowercase();
    let (scheme, service) = match lower.strip_suffix("+srv") {
        Some(scheme) => (scheme, true),
        None => (&*lower, false),
    };
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        "unix" => return socket(rest),
        _ if !rest.starts_with("//") => {
            return bad(
                "the URL has no scheme",
                "begin it with `http://` or `https://`",
            );
        }
        _ => {
            return bad(
                "the URL has a scheme that no peer has",
                "begin it with `http://` or `https://`",
            );
        }
    };
    let Some(rest) = rest.strip_prefix("//") else {
        return bad(
            "the URL has no `//` after its scheme",
            "write it as in `http://127.0.0.1:9001/mcp`",
        );
    };
    if rest.contains(['?', '#']) {
        return bad(
            "the URL has a query or a fragment",
            "delete everything from the `?` or `#` on",
        );
    }
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if authority.contains('@') {
        return bad(
            "the URL has a user name or password",
            "peers get the credentials of each request; delete everything up to the `@`",
        );
    }
    let usual = match scheme {
        Scheme::Http => 80,
        Scheme::Https => 443,
    };
    if let Some(message) = path_problem(path) {
        return bad(message, "write the path as peers see it, percent-encoded");
    }
    let path = path.trim_end_matches('/').to_owned();
    if service {
        let host = authority.to_ascii_lowercase();
        let Some(domain) = domain(&host) else {
            return bad(
                "the URL has no name of a service",
                "write it as in `http+srv://_mcp._tcp.example.com/mcp`; its records say the port",
            );
        };
        return Ok(PeerUrl {
            scheme,
            authority: domain.trim_end_matches('.').to_owned(),
            host,
            port: 0,
            path,
        });
    }
    let (host, port) = split_port(authority, usual)?;
    let host = host.to_ascii_lowercase();
    let bracketed = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.clone()
    };
    Ok(PeerUrl {
        scheme,
        authority: if port == usual {
            bracketed
        } else {
            format!("{bracketed}:{port}")
        },
        host,
        port,
        path,
    })
}

/// The domain of a service, `_mcp._tcp.example.com` for example (RFC 2782 "The format of the SRV RR").
fn domain(service: &str) -> Option<&str> {
    let (name, rest) = service.split_once('.')?;
    let (protocol, domain) = rest.split_once('.')?;
    let labels = [name, protocol];
    let marked = labels
        .iter()
        .all(|label| label.starts_with('_') && label.len() > 1);
    (marked && is_name(service) && !domain.is_empty()).then_some(domain)
}

/// Reads `/PATH/OF/THE.sock[:/PATH]`, which is what follows `unix:`; nginx writes it so.
fn socket(rest: &str) -> Result<PeerUrl, BadUrl> {
    let (socket, path) = rest.split_once(':').unwrap_or((rest, ""));
    let plain = |c: char| !c.is_control() && !c.is_whitespace();
    if !socket.starts_with('/') || socket.ends_with('/') || !socket.chars().all(plain) {
        return bad(
            "the URL has no absolute path of a socket",
            "write it as in `unix:/run/app.sock`, or with a path as in `unix:/run/app.sock:/mcp`",
        );
    }
    // The system takes no longer ones: 108 bytes with the zero at the end on Linux, 104 elsewhere.
    if socket.len() > 103 {
        return bad(
            "the path of the socket is longer than systems allow",
            "103 bytes are the most",
        );
    }
    if let Some(message) = path_problem(path) {
        return bad(message, "write the path as peers see it, percent-encoded");
    }
    if !path.is_empty() && !path.starts_with('/') {
        return bad(
            "the path after the socket does not begin with `/`",
            "write it as in `unix:/run/app.sock:/mcp`",
        );
    }
    Ok(PeerUrl {
        scheme: Scheme::Http,
        // RFC 9110 has no authority for such a thing; servers behind sockets expect this one.
        authority: "localhost".to_owned(),
        host: socket.to_owned(),
        port: 0,
        path: path.trim_end_matches('/').to_owned(),
    })
}

/// Host, without brackets, and port of an authority (RFC 3986 §3.2).
fn split_port(authority: &str, usual: u16) -> Result<(&str, u16), BadUrl> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, port)) if host.parse::<Ipv6Addr>().is_ok() => (host, port),
            _ => {
                return bad(
                    "the URL has no valid IPv6 address",
                    "write it as in `http://[::1]:9001`",
                );
            }
        },
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    if !host.contains(':') && !is_name(host) {
        return bad(
            "the URL has no valid host",
            "a host is a name, an IPv4 address, or an IPv6 address in brackets",
        );
    }
    if port.is_empty() {
        return Ok((host, usual));
    }
    let digits = port
        .strip_prefix(':')
        .filter(|digits| digits.chars().all(|c| c.is_ascii_digit()));
    match digits.and_then(|digits| digits.parse().ok()) {
        Some(port) if port > 0 => Ok((host, port)),
        _ => bad(
            "the URL has no valid port",
            "a port is a number from 1 to 65535",
        ),
    }
}

/// A name of the DNS, or an IPv4 address. `_` is allowed, since container networks have it.
pub(crate) fn is_name(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    host.len() <= 253 && host.strip_suffix('.').unwrap_or(host).split('.').all(label)
}

/// `example.com`, `*.example.com` or an address, IPv6 in brackets; no port.
pub(crate) fn is_host_pattern(host: &str) -> bool {
    let address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    match address {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => is_name(host.strip_prefix("*.").unwrap_or(host)),
    }
}

/// Whether a path is one that no two readers understand differently (RFC 3986 §3.3).
pub(crate) fn path_problem(path: &str) -> Option<&'static str> {
    let allowed = |c: char| {
        c.is_ascii_graphic()
            && !matches!(
                c,
                '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}' | '#' | '?'
            )
    };
    let segment = |name: &str| {
        path.to_ascii_lowercase()
            .split('/')
            .any(|s| s.replace("%2e", ".") == name)
    };
    if !path.chars().all(allowed) {
        Some("the path has a character that must be percent-encoded")
    } else if segment(".") || segment("..") {
        Some("the path has a `.` or `..` segment")
    } else if path.split('%').skip(1).any(|part| {
        !part
            .get(..2)
            .is_some_and(|hex| hex.chars().all(|c| c.is_ascii_hexdigit()))
    }) {
        Some("the path has a `%` without two hex digits")
    } else {
        None
    }
}

fn bad<T>(message: &'static str, help: &'static str) -> Result<T, BadUrl> {
    Err(BadUrl {
        code: Code::BadValue,
        message,
        help,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_host_and_perhaps_a_port_and_a_path() {
        for (text, host, port, authority, path) in [
            ("http://a", "a", 80, "a", ""),
            ("http://a/", "a", 80, "a", ""),
            (
                "HTTP://Example.COM:80/mcp/",
                "example.com",
                80,
                "example.com",
                "/mcp",
            ),
            ("http://a_b.c:9001/x/y", "a_b.c", 9001, "a_b.c:9001", "/x/y"),
            ("http://10.0.0.1:1", "10.0.0.1", 1, "10.0.0.1:1", ""),
            ("http://[::1]:9001/%41//", "::1", 9001, "[::1]:9001", "/%41"),
            ("unix:/run/a.sock", "/run/a.sock", 0, "localhost", ""),
            (
                "HTTP+srv://_mcp._tcp.Example.com/mcp",
                "_mcp._tcp.example.com",
                0,
                "example.com",
                "/mcp",
            ),
            (
                "unix:/run/a.sock:/mcp/",
                "/run/a.sock",
                0,
                "localhost",
                "/mcp",
            ),
            (
                "http://[2001:DB8::1]",
                "2001:db8::1",
                80,
                "[2001:db8::1]",
                "",
            ),
        ] {
            let expected = PeerUrl {
                scheme: Scheme::Http,
                host: host.to_owned(),
                port,
                authority: authority.to_owned(),
                path: path.to_owned(),
            };
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn https_has_a_port_of_its_own() {
        for (text, port, authority) in [
            ("https://a", 443, "a"),
            ("HTTPS://a:443/x", 443, "a"),
            ("https://a:80", 80, "a:80"),
            ("http://a:443", 443, "a:443"),
        ] {
            let url = parse(text).unwrap();
            assert_eq!((url.port, url.authority.as_str()), (port, authority));
            let secure = text.to_ascii_lowercase().starts_with("https");
            assert_eq!(url.scheme == Scheme::Https, secure, "{text}");
        }
    }

    #[test]
    fn what_is_no_url_of_a_peer_is_refused() {
        for (text, code) in [
            ("", Code::BadValue),
            ("a", Code::BadValue),
            ("a:80", Code::BadValue),
            ("http:a", Code::BadValue),
            ("http://:80", Code::BadValue),
            ("http://a:", Code::BadValue),
            ("http://a:0", Code::BadValue),
            ("http://a:+80", Code::BadValue),
            ("http://a b", Code::BadValue),
            ("http://[::1]a", Code::BadValue),
            ("http://[fe80::1%25eth0]", Code::BadValue),
            ("http://u@a", Code::BadValue),
            ("http://a/%zz", Code::BadValue),
            ("http://a/%+1", Code::BadValue),
            ("http://a/%2E%2e/b", Code::BadValue),
            ("http://a/é", Code::BadValue),
            ("http://a#b", Code::BadValue),
            ("http+srv://example.com", Code::BadValue),
            ("http+srv://_mcp._tcp", Code::BadValue),
            ("http+srv://_mcp._tcp.", Code::BadValue),
            ("http+srv://_._tcp.example.com", Code::BadValue),
            ("http+srv://_mcp._tcp.example.com:80", Code::BadValue),
            ("https+srv:_mcp._tcp.example.com", Code::BadValue),
            ("ftp+srv://_mcp._tcp.example.com", Code::BadValue),
            ("unix:run/a.sock", Code::BadValue),
            ("unix:", Code::BadValue),
            ("unix:/run/", Code::BadValue),
            ("unix:/run/a b", Code::BadValue),
            ("unix:/run/a:b", Code::BadValue),
            ("unix:/run/a:/../b", Code::BadValue),
        ] {
            assert_eq!(parse(text).map_err(|bad| bad.code), Err(code), "{text}");
        }
    }

    #[test]
    fn urls_alone_make_one_group() {
        let urls = ["http://a:1/mcp", "http://b/mcp"].map(str::to_owned);
        let listen = Address::from(std::net::SocketAddr::from(([127, 0, 0, 1], 8080)));
        let settings = from_urls(&urls, listen.clone()).unwrap();
        assert_eq!(settings.listeners[0].listen, listen);
        assert_eq!(settings.groups[0].name, "default");
        assert_eq!(settings.groups[0].policy, lb::GroupPolicy::default());
        let peers = settings.groups[0].peers.iter();
        let peers: Vec<_> = peers.map(|peer| peer.peer.clone()).collect();
        assert_eq!(peers, [lb::Peer::new("a:1"), lb::Peer::new("b:80")]);
    }

    #[test]
    fn urls_that_do_not_go_together_are_refused_at_once() {
        let urls = ["http://a/x", "http://a/x", "http://b/y", "ftp://c"].map(str::to_owned);
        let listen = Address::from(std::net::SocketAddr::from(([127, 0, 0, 1], 8080)));
        let problems = from_urls(&urls, listen.clone()).unwrap_err();
        let codes: Vec<_> = problems.iter().map(|problem| problem.code).collect();
        let expected = [Code::DuplicateName, Code::Contradiction, Code::BadValue];
        assert_eq!(codes, expected);
        assert!(from_urls(&[], listen).is_err());
    }
}
