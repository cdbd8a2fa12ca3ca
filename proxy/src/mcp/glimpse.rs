//! What the first bytes of a message say.

use super::{Id, Message};

/// What the first bytes of a message say.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Glimpse<'a> {
    /// No response, or nothing that could be told.
    Other,
    /// A request; its id, if that was seen.
    Request(Option<Id<'a>>),
    /// The responses to these requests.
    Responses(Vec<Id<'a>>),
    /// Several responses, not all of them seen.
    UnnamedBatch,
    /// A response whose id was not seen, or that names none.
    UnnamedResponse,
}

/// Looks at a message of which only the beginning may be there (`cut`). Servers write the keys in
/// different orders: Python's `jsonrpc`, `id`, `result`; TypeScript's `result`, `jsonrpc`, `id`.
pub(super) fn glimpse(head: &[u8], cut: bool) -> Glimpse<'_> {
    if cut {
        return beginning(head).unwrap_or(Glimpse::Other);
    }
    match Message::peek(head) {
        Message::Response { id: Some(id) } => Glimpse::Responses(vec![id]),
        // An error that names no request still answers the one there is.
        Message::Response { id: None } => Glimpse::UnnamedResponse,
        Message::Batch(parts) => Glimpse::Responses(
            parts
                .into_iter()
                .filter_map(|part| match part {
                    Message::Response { id } => id,
                    _ => None,
                })
                .collect(),
        ),
        Message::Request(request) => Glimpse::Request(Some(request.id)),
        Message::Invalid | Message::Notification { .. } => Glimpse::Other,
    }
}

/// Reads as far as the bytes go; none if they end before anything can be told.
fn beginning(head: &[u8]) -> Option<Glimpse<'_>> {
    let mut reader = Reader { rest: head };
    let batch = reader.peek()? == b'[';
    if batch {
        reader.take();
    }
    if reader.take()? != b'{' {
        return None;
    }
    let mut id = None;
    loop {
        let key = reader.string()?;
        if reader.take()? != b':' {
            return None;
        }
        match key {
            "\"method\"" if batch => return Some(Glimpse::Other),
            "\"method\"" => {
                return Some(if reader.string()?.starts_with("\"notifications/") {
                    Glimpse::Other
                } else {
                    Glimpse::Request(id)
                });
            }
            "\"result\"" | "\"error\"" if batch => return Some(Glimpse::UnnamedBatch),
            "\"result\"" | "\"error\"" => {
                return Some(match id {
                    Some(id) => Glimpse::Responses(vec![id]),
                    None => Glimpse::UnnamedResponse,
                });
            }
            "\"id\"" => id = Id::from_json(reader.scalar()?),
            _ => {
                reader.scalar()?;
            }
        }
        if reader.take()? != b',' {
            return None;
        }
    }
}

/// The id of a message of which only the end is there: Python's servers, and those of TypeScript,
/// write that of a request last.
pub(super) fn last_id(tail: &[u8]) -> Option<Id<'_>> {
    let text = tail.trim_ascii_end().strip_suffix(b"}")?;
    let text = std::str::from_utf8(text.get(text.len().saturating_sub(LONGEST_ID)..)?).ok()?;
    let (_, id) = text.rsplit_once("\"id\":")?;
    let value: serde_json::Value = serde_json::from_str(id).ok()?;
    (value.is_string() || value.is_number()).then(|| Id::from_json(id.trim()))?
}

/// A longer id at the end of a message is not read.
pub(super) const LONGEST_ID: usize = 80;

/// Reads JSON from the left. Every method skips white space first and gives none at the end.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn peek(&mut self) -> Option<u8> {
        self.rest = self.rest.trim_ascii_start();
        self.rest.first().copied()
    }

    fn take(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.rest = self.rest.split_first()?.1;
        Some(byte)
    }

    /// A string with its quotes.
    fn string(&mut self) -> Option<&'a str> {
        if self.peek()? != b'"' {
            return None;
        }
        let mut escaped = false;
        let end = self.rest.iter().skip(1).position(|byte| {
            let ends = *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            ends
        })?;
        self.split(end + 2)
    }

    /// A string, a number or a word; none for an object or an array, which may be of any length.
    fn scalar(&mut self) -> Option<&'a str> {
        match self.peek()? {
            b'"' => self.string(),
            b'{' | b'[' => None,
            _ => {
                let ends =
                    |byte: &u8| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace();
                let end = self.rest.iter().position(ends)?;
                self.split(end)
            }
        }
    }

    fn split(&mut self, at: usize) -> Option<&'a str> {
        let (token, rest) = self.rest.split_at_checked(at)?;
        self.rest = rest;
        std::str::from_utf8(token).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ids(json: &[&'static str]) -> Glimpse<'static> {
        Glimpse::Responses(json.iter().filter_map(|id| Id::from_json(id)).collect())
    }

    #[test]
    fn a_beginning_tells_what_it_can() {
        for (head, expected) in [
            (r#"{"jsonrpc":"2.0","id":5,"result":{"con"#, ids(&["5"])),
            (r#" { "id" : "a\"b" , "error" : {"#, ids(&[r#""a\"b""#])),
            (r#"{"id":-1.5,"jsonrpc":"2.0","result":"#, ids(&["-1.5"])),
            (r#"{"result":{"content":["#, Glimpse::UnnamedResponse),
            (
                r#"{"jsonrpc":"2.0","result":{"con"#,
                Glimpse::UnnamedResponse,
            ),
            (r#"{"id":null,"error":{"#, Glimpse::UnnamedResponse),
            (
                r#"[{"jsonrpc":"2.0","id":1,"result":{"#,
                Glimpse::UnnamedBatch,
            ),
            (r#"{"jsonrpc":"2.0","method":"notifica"#, Glimpse::Other),
            (r#"{"jsonrpc":"2.0","id":1,"method":"x"#, Glimpse::Other),
            (
                r#"{"method":"x","params":{"result":1"#,
                Glimpse::Request(None),
            ),
            (r#"{"method":"notifications/x","params":{"#, Glimpse::Other),
            (r#"{"params":{"result":1},"method"#, Glimpse::Other),
            (r#"{"jsonrpc":"2.0","id":5,"#, Glimpse::Other),
            (r#"{"jsonrpc":"2.0","id":5"#, Glimpse::Other),
            (r#"{"id":"5"#, Glimpse::Other),
            (
                r#"{"id":1,"method":"x","error":{"#,
                Glimpse::Request(Id::from_json("1")),
            ),
            (r#"{"a":{"b":1,"result":{"#, Glimpse::Other),
            (r#"{"id":1]"result":{"#, Glimpse::Other),
            ("[", Glimpse::Other),
            ("", Glimpse::Other),
            ("result", Glimpse::Other),
        ] {
            assert_eq!(glimpse(head.as_bytes(), true), expected, "{head}");
        }
    }

    #[test]
    fn a_whole_message_tells_its_id_wherever_it_is() {
        for (whole, expected) in [
            (r#"{"result":{},"jsonrpc":"2.0","id":5}"#, ids(&["5"])),
            (
                r#"{"jsonrpc":"2.0","id":null,"error":{}}"#,
                Glimpse::UnnamedResponse,
            ),
            (
                r#"{"jsonrpc":"2.0","id":5,"method":"ping"}"#,
                Glimpse::Request(Id::from_json("5")),
            ),
            (
                r#"[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":2,"error":{}}]"#,
                ids(&["1", "2"]),
            ),
            ("", Glimpse::Other),
        ] {
            assert_eq!(glimpse(whole.as_bytes(), false), expected, "{whole}");
        }
    }

    #[test]
    fn an_id_at_the_end_is_read() {
        for (tail, expected) in [
            (r#"ng"}]},"jsonrpc":"2.0","id":17}"#, Some("17")),
            (r#""id":1},"jsonrpc":"2.0","id":"a"} "#, Some("\"a\"")),
            (r#""jsonrpc":"2.0","id":1,"method":"x"}"#, None),
            (r#""id":null}"#, None),
            (r#""id":{"id":3}}"#, None),
            ("", None),
        ] {
            let found = last_id(tail.as_bytes());
            assert_eq!(found.as_ref().map(Id::json), expected, "{tail}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(bytes in r#"[\[{"a-z:,\\ 0-9}]{0,60}"#, cut in any::<bool>()) {
            glimpse(bytes.as_bytes(), cut);
            last_id(bytes.as_bytes());
        }
    }
}
