//! The message address of a legacy event stream (HTTP+SSE, 2024-11-05).
//!
//! A server of that revision names, in the first event of a stream, the address to which the
//! client sends its messages. Clients get an address of ours instead: it lies under the route,
//! says nothing of the peer, and leads back to it.

use http::uri::PathAndQuery;

use super::keyring::Purpose;
use super::{KeyRing, Principal, SealError, Unsealable, wire};

/// Where the messages of a legacy event stream go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Target {
    /// The name of the peer that serves the stream.
    pub peer: String,
    /// The path and query it wants them at.
    pub path: String,
}

/// Seals a target. `nonce` must be random.
///
/// # Errors
///
/// It would be too long to be opened again (16 KiB), or the cryptographic library refuses.
pub fn seal(
    keys: &KeyRing,
    target: &Target,
    group: &str,
    principal: Option<&Principal>,
    nonce: [u8; 12],
) -> Result<String, SealError> {
    let mut plain = vec![VERSION];
    wire::put(&mut plain, target.peer.as_bytes());
    wire::put(&mut plain, target.path.as_bytes());
    keys.seal(&plain, Purpose::Stream, group, principal, nonce)
}

/// Opens a token of ours.
///
/// # Errors
///
/// It is not ours, was changed, or is for another group or principal; one error for all (rule 3).
pub fn open(
    keys: &KeyRing,
    token: &str,
    group: &str,
    principal: Option<&Principal>,
) -> Result<Target, Unsealable> {
    let (plain, _) = keys.open(token, Purpose::Stream, group, principal)?;
    decode(&plain).ok_or(Unsealable)
}

fn decode(plain: &[u8]) -> Option<Target> {
    let (&VERSION, mut rest) = plain.split_first()? else {
        return None;
    };
    let rest = &mut rest;
    let target = Target {
        peer: wire::take_text(rest)?,
        path: wire::take_text(rest)?,
    };
    rest.is_empty().then_some(target)
}

/// The address a client sends its messages to. A path and no more: every client resolves it
/// against the address of the stream, so it is right behind any name of ours, and the Python
/// client refuses another origin.
pub fn endpoint_for(token: &str, route_prefix: &str) -> String {
    let prefix = route_prefix.trim_end_matches('/');
    format!("{prefix}{MARK}{token}")
}

/// The token in the path of a request; none if the path is not an address of ours.
pub fn find<'a>(path: &'a str, route_prefix: &str) -> Option<&'a str> {
    path.strip_prefix(route_prefix.trim_end_matches('/'))?
        .strip_prefix(MARK)
        .filter(|token| !token.is_empty() && !token.contains('/'))
}

/// The path and query on the peer that an `endpoint` event names. `stream_path` is the path, on
/// the peer, of the stream the event came on; a relative address is resolved against it
/// (RFC 3986 §5.2). Scheme and host are left out on purpose: messages go to the peer of the
/// stream and nowhere else. None if it is no address, or a very long one.
pub fn resolve(endpoint: &str, stream_path: &str) -> Option<String> {
    let endpoint = endpoint.trim_ascii();
    let (endpoint, _) = endpoint.split_once('#').unwrap_or((endpoint, ""));
    let local = match after_authority(endpoint) {
        Some("") => "/",
        Some(rest) => rest,
        None => endpoint,
    };
    let base = stream_path.split(['?', '#']).next().unwrap_or_default();
    let whole = match local.as_bytes().first()? {
        b'/' => local.to_owned(),
        b'?' if after_authority(endpoint).is_some() => format!("/{local}"),
        b'?' => format!("{base}{local}"),
        _ => {
            let (folder, _) = base.rsplit_once('/').unwrap_or_default();
            format!("{folder}/{local}")
        }
    };
    let (path, query) = match whole.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (whole.as_str(), None),
    };
    let mut path = without_dots(path);
    if let Some(query) = query {
        path.push('?');
        path.push_str(query);
    }
    if path.len() > MAX_PATH || !path.starts_with('/') {
        return None;
    }
    PathAndQuery::try_from(path.as_str()).ok()?;
    Some(path)
}

/// What follows scheme and authority; none if the address has no authority.
fn after_authority(address: &str) -> Option<&str> {
    let rest = match address.split_once("//")? {
        ("", rest) => rest,
        (scheme, rest) if is_scheme(scheme.strip_suffix(':')?) => rest,
        _ => return None,
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    rest.get(end..)
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Resolves `.` and `..` (RFC 3986 §5.2.4): behind a path of ours they could leave it.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            _ => {
                kept.push(segment);
                continue;
            }
        }
        if last {
            kept.push("");
        }
    }
    format!("/{}", kept.join("/"))
}

/// What stands between the route and the token. Peers do not serve such a path.
const MARK: &str = "/.backstay/sse/";

/// The longest path and query that is sealed: the token still fits a request line.
const MAX_PATH: usize = 2048;

/// The version of the inside.
const VERSION: u8 = 1;
