//! Whether headers say what the body says.

use http::HeaderMap;

use super::message::Request;
use super::{Era, Message, Name, Version, header};

/// Why headers and body, or headers among themselves, disagree: 400 with -32020
/// (MCP 2026-07-28 "Server Validation").
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mismatch {
    /// A header that may come once came twice.
    Duplicate,
    /// A header that cannot be decoded.
    Malformed,
    /// `Mcp-Method` is not the method of the body.
    Method,
    /// `Mcp-Name` is not the name in the body.
    Name,
    /// `MCP-Protocol-Version` is not the version in the body.
    Version,
}

impl Mismatch {
    /// What is wrong, for the client.
    pub fn message(self) -> &'static str {
        match self {
            Self::Duplicate => "an MCP header came more than once",
            Self::Malformed => "an MCP header cannot be decoded",
            Self::Method => "Mcp-Method does not match the body",
            Self::Name => "Mcp-Name does not match the body",
            Self::Version => "MCP-Protocol-Version does not match the body",
        }
    }
}

/// Compares what a modern request says in its headers with its body. Legacy headers mirror
/// nothing, so they always agree. Only what both have is compared: what is missing is the peer's
/// to judge. Needed before any repeat, since a legacy peer goes by the body alone (rule 22).
///
/// # Errors
///
/// The first header that disagrees.
pub fn agree(headers: &HeaderMap, message: &Message<'_>) -> Result<(), Mismatch> {
    let version = headers.get(&header::PROTOCOL_VERSION);
    if Era::of(version.and_then(|value| Version::parse(value.as_bytes()))) == Era::Legacy {
        return Ok(());
    }
    let verb = match message {
        Message::Request(Request { verb, .. }) | Message::Notification { verb, .. } => verb,
        Message::Batch(_) | Message::Invalid | Message::Response { .. } => return Ok(()),
    };
    if headers
        .get(&header::METHOD)
        .is_some_and(|value| value.as_bytes() != verb.as_bytes())
    {
        return Err(Mismatch::Method);
    }
    let Message::Request(request) = message else {
        return Ok(());
    };
    if let (Some(mirrored), Some(body)) = (version, &request.version)
        && mirrored.as_bytes() != body.as_bytes()
    {
        return Err(Mismatch::Version);
    }
    if let (Some(mirrored), Some(body)) = (headers.get(&header::NAME), &request.name)
        && Name::decode(mirrored)?.as_str() != body
    {
        return Err(Mismatch::Name);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"wörld",
        "_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;

    fn verdict(version: &str, method: &str, name: &str, body: &str) -> Option<Mismatch> {
        let mut headers = HeaderMap::new();
        for (key, value) in [
            (&header::PROTOCOL_VERSION, version),
            (&header::METHOD, method),
            (&header::NAME, name),
        ] {
            if !value.is_empty() {
                headers.insert(key, HeaderValue::from_str(value).unwrap());
            }
        }
        agree(&headers, &Message::peek(body.as_bytes())).err()
    }

    #[test]
    fn headers_are_compared_with_the_body() {
        let name = "=?base64?d8O2cmxk?=";
        for (version, method, given, expected) in [
            ("2026-07-28", "tools/call", name, None),
            ("2026-07-28", "", "", None),
            ("2026-07-28", "tools/list", name, Some(Mismatch::Method)),
            ("2026-07-28", "Tools/call", name, Some(Mismatch::Method)),
            ("2026-07-28", "tools/call", "other", Some(Mismatch::Name)),
            (
                "2026-07-28",
                "tools/call",
                "=?base64?=?=",
                Some(Mismatch::Malformed),
            ),
            ("2026-07-29", "tools/call", name, Some(Mismatch::Version)),
            // Legacy peers and clients ignore the headers, whatever they say.
            ("2025-11-25", "tools/list", "other", None),
            ("", "tools/list", "other", None),
        ] {
            let found = verdict(version, method, given, CALL);
            assert_eq!(found, expected, "{version} {method} {given}");
        }
    }

    #[test]
    fn other_bodies_are_the_peers_to_judge() {
        for body in ["", "[]", r#"{"jsonrpc":"2.0","id":1,"result":{}}"#] {
            assert_eq!(verdict("2026-07-28", "ping", "x", body), None, "{body}");
        }
        let notification = r#"{"jsonrpc":"2.0","method":"notifications/progress"}"#;
        let found = verdict("2026-07-28", "ping", "", notification);
        assert_eq!(found, Some(Mismatch::Method));
    }
}
