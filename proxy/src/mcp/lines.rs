//! The lines of a head that MCP is about.

use http::{HeaderMap, HeaderValue};

/// The lines of a head that MCP is about, found in one pass: a map hashes every name that it is
/// asked for, byte by byte.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    pub(super) version: Option<&'a HeaderValue>,
    pub(super) session: Option<&'a HeaderValue>,
    pub(super) method: Option<&'a HeaderValue>,
    pub(super) name: Option<&'a HeaderValue>,
    credential: bool,
    origin: bool,
}

/// What a head carries. What was not looked for may be there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Carries {
    /// The id of an MCP session, in whatever era.
    pub session_id: bool,
    /// A credential that anybody here looks at: `Authorization` or `Cookie`.
    pub credential: bool,
    /// `Origin`, as browsers send it.
    pub origin: bool,
}

impl Default for Carries {
    fn default() -> Self {
        Self {
            session_id: true,
            credential: true,
            origin: true,
        }
    }
}

impl<'a> Lines<'a> {
    /// Of a line that comes twice, the first.
    pub(super) fn of(headers: &'a HeaderMap) -> Self {
        let mut lines = Self {
            version: None,
            session: None,
            method: None,
            name: None,
            credential: false,
            origin: false,
        };
        for (name, value) in headers {
            // Patterns of bytes compare lengths first, and the rest without a call.
            let line = match name.as_str().as_bytes() {
                b"mcp-method" => &mut lines.method,
                b"mcp-name" => &mut lines.name,
                b"mcp-protocol-version" => &mut lines.version,
                b"mcp-session-id" => &mut lines.session,
                b"authorization" | b"cookie" => {
                    lines.credential = true;
                    continue;
                }
                b"origin" => {
                    lines.origin = true;
                    continue;
                }
                _ => continue,
            };
            line.get_or_insert(value);
        }
        lines
    }

    pub(super) fn carries(&self) -> Carries {
        Carries {
            session_id: self.session.is_some(),
            credential: self.credential,
            origin: self.origin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::header;
    use http::{HeaderName, header as http_header};

    type Get = for<'a> fn(&Lines<'a>) -> Option<&'a HeaderValue>;

    #[test]
    fn each_line_is_found_by_its_name_and_the_first_counts() {
        let rows: [(&HeaderName, Get); 4] = [
            (&header::METHOD, |lines| lines.method),
            (&header::NAME, |lines| lines.name),
            (&header::PROTOCOL_VERSION, |lines| lines.version),
            (&header::SESSION_ID, |lines| lines.session),
        ];
        for (name, get) in rows {
            let mut headers = HeaderMap::new();
            headers.insert(http_header::HOST, HeaderValue::from_static("a"));
            assert_eq!(get(&Lines::of(&headers)), None, "{name}");
            headers.append(name, HeaderValue::from_static("1"));
            headers.append(name, HeaderValue::from_static("2"));
            assert_eq!(get(&Lines::of(&headers)).unwrap(), "1", "{name}");
            let others = rows.iter().filter(|(other, _)| *other != name);
            for (other, get) in others {
                assert_eq!(get(&Lines::of(&headers)), None, "{name} {other}");
            }
            let carries = Lines::of(&headers).carries();
            assert_eq!(carries.session_id, *name == header::SESSION_ID);
            assert!(!carries.credential && !carries.origin);
        }
    }

    #[test]
    fn credentials_and_origins_are_seen() {
        let rows = [
            (http_header::AUTHORIZATION, (true, false)),
            (http_header::COOKIE, (true, false)),
            (http_header::ORIGIN, (false, true)),
        ];
        for (name, expected) in rows {
            let mut headers = HeaderMap::new();
            headers.insert(&name, HeaderValue::from_static("a"));
            let carries = Lines::of(&headers).carries();
            assert_eq!((carries.credential, carries.origin), expected, "{name}");
        }
    }
}
