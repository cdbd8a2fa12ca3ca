//! Names of things, of headers, and of where a key is found in a request.

use std::collections::BTreeMap;

use http::HeaderName;
use proxy::settings::HashKey;

use crate::finding::{Finding, Findings};
use crate::problem::Code;

/// Reports names that are there twice or that are no names. `what` is what is named.
pub(super) fn unique<'a>(
    what: &str,
    names: impl Iterator<Item = (String, &'a str)>,
    found: &mut Findings,
) {
    let mut seen: BTreeMap<&str, String> = BTreeMap::new();
    for (path, name) in names {
        if let Some(first) = seen.get(name) {
            let message = format!("two {what}s are named `{name}`");
            let finding = Finding::new(Code::DuplicateName, &path, message);
            let finding = finding.label("the name is taken");
            found.add(match found.line(first) {
                Some(line) => finding.help(format!(
                    "the first is on line {line}; give each its own `name`"
                )),
                None => finding,
            });
        } else {
            seen.insert(name, path);
        }
    }
}

/// A name of 1 to 64 letters, digits, `_`, `-`, `.` and the characters of `more`.
pub(super) fn checked(name: String, more: &str, path: &str, found: &mut Findings) -> String {
    let sound = (1..=64).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.') || more.contains(c));
    if !sound {
        let finding = Finding::new(Code::BadValue, path, "this cannot be a name");
        let also = if more.is_empty() { "" } else { " and `:`" };
        found.add(finding.label(format!("1 to 64 of A-Z a-z 0-9 `_` `-` `.`{also}")));
    }
    name
}

/// The `NAME` of `header:NAME`, lower case.
pub(super) fn header(name: &str, path: &str, found: &mut Findings) -> Option<HeaderName> {
    let header = HeaderName::from_bytes(name.as_bytes()).ok();
    if header.is_none() {
        let finding = Finding::new(Code::BadValue, path, "this is not the name of a header");
        found.add(finding.label("letters, digits and `-`"));
    }
    header
}

/// What consistent hashing hashes.
pub(super) fn hash_key(text: &str, path: &str, found: &mut Findings) -> Option<HashKey> {
    let (kind, name) = text.split_once(':').unwrap_or((text, ""));
    match (kind, name) {
        ("client_ip", "") => Some(HashKey::ClientIp),
        ("mcp", "session") => Some(HashKey::McpSession),
        ("mcp", "name") => Some(HashKey::McpName),
        ("header", name) if !name.is_empty() => header(name, path, found).map(HashKey::Header),
        ("cookie", name) if !name.is_empty() => Some(HashKey::Cookie(name.to_owned())),
        ("query", name) if !name.is_empty() => Some(HashKey::Query(name.to_owned())),
        ("mcp", name) if name.len() > PARAM.len() && name.starts_with(PARAM) => {
            let name = name.strip_prefix(PARAM).unwrap_or(name);
            header(&format!("mcp-param-{name}"), path, found).map(HashKey::McpParam)
        }
        _ => {
            let finding = Finding::new(Code::BadValue, path, "this is not a hash key");
            found.add(finding.label("names no part of a request").help(
                "write `client_ip`, `header:NAME`, `cookie:NAME`, `query:NAME`, `mcp:session`, `mcp:name` or `mcp:param:NAME`",
            ));
            None
        }
    }
}

/// Before the name of a parameter that a client mirrors into a header (MCP 2026-07-28).
const PARAM: &str = "param:";
