//! What a request is hashed by, and the region it belongs to.

use crate::group::Group;
use crate::mcp::{Facts, Name};
use crate::session::Session;
use crate::settings::{HashKey, RegionKey};
use http::header;
use std::net::IpAddr;

/// The hash of the request's key; none when it does not carry one.
pub(super) fn hash(group: &Group, session: &Session, facts: Option<&Facts>) -> Option<u64> {
    let headers = &session.request.headers;
    let of = |bytes: &[u8]| Some(lb::hash64(bytes));
    match group.settings.hash.as_ref()? {
        HashKey::ClientIp => match session.connection.client?.ip().to_canonical() {
            IpAddr::V4(ip) => of(&ip.octets()),
            IpAddr::V6(ip) => of(&ip.octets()),
        },
        HashKey::Cookie(name) => cookie(session, name).and_then(of),
        HashKey::Header(name) => of(headers.get(name)?.as_bytes()),
        HashKey::McpName => of(facts?.name.as_ref()?.as_str().as_bytes()),
        HashKey::McpParam(name) => of(facts?.param(headers, name)?.as_str().as_bytes()),
        HashKey::McpSession => of(headers.get(&crate::mcp::header::SESSION_ID)?.as_bytes()),
        HashKey::Query(name) => {
            let pairs = session.request.uri.query()?.split('&');
            let value = pairs
                .filter_map(|pair| pair.split_once('='))
                .find(|pair| pair.0 == name)?;
            of(value.1.as_bytes())
        }
    }
}

/// The value of a cookie (RFC 6265 §4.2).
fn cookie<'a>(session: &'a Session, name: &str) -> Option<&'a [u8]> {
    let lines = session.request.headers.get_all(header::COOKIE).iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs.map(<[u8]>::trim_ascii).find_map(|pair| {
        let rest = pair.strip_prefix(name.as_bytes())?;
        rest.strip_prefix(b"=")
    })
}

/// The region a request names, if its key has a value.
pub(super) fn region(group: &Group, session: &Session, facts: Option<&Facts>) -> Option<String> {
    let settings = group.settings.region.as_ref()?;
    let name = match &settings.key {
        RegionKey::Header(name) => Name::decode(session.request.headers.get(name)?).ok()?,
        RegionKey::McpName => facts?.name.clone()?,
    };
    let name = name.as_str();
    // What is no region of any peer falls back as the group says.
    let region = settings.map.get(name).map_or(name, String::as_str);
    Some(region.to_owned())
}
