//! What an answer to `tools/list` says.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

/// One page of an answer to `tools/list`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listing<'a> {
    /// Its tools, in order.
    pub tools: Vec<Tool<'a>>,
    /// Where the next page begins; none: this was the last.
    pub next: Option<Cow<'a, str>>,
}

/// One tool.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tool<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// Whether it says of itself that it may run twice: it only reads, or a second run with the
    /// same arguments changes nothing more (MCP 2025-03-26 "Tool Annotations"; without a word both
    /// are false).
    pub repeatable: bool,
    /// A hash of all it says of itself, in whatever order, to tell a change by.
    pub hash: u64,
}

impl<'a> Listing<'a> {
    /// Reads a JSON-RPC response; none if it is something else, an error for one.
    pub fn peek(response: &'a [u8]) -> Option<Self> {
        let response: Response<'_> = serde_json::from_slice(response).ok()?;
        let tools = response.result.tools.into_iter().map(|raw| {
            let said: Said<'_> = serde_json::from_str(raw.get()).ok()?;
            let hints = said.annotations.unwrap_or_default();
            let is_true = |hint: Option<&RawValue>| hint.map(RawValue::get) == Some("true");
            Some(Tool {
                name: said.name.0,
                repeatable: is_true(hints.read_only) || is_true(hints.idempotent),
                hash: hash(raw),
            })
        });
        Some(Self {
            tools: tools.collect::<Option<_>>()?,
            next: response.result.next_cursor.map(|Text(next)| next),
        })
    }
}

/// Servers put the members of an object in an order that depends on the era they are asked in, so
/// these are sorted, as `Value` does by itself. What is nested too deep for that is taken as it is.
fn hash(tool: &RawValue) -> u64 {
    let sorted = serde_json::from_str(tool.get()).map(|tool: Value| tool.to_string());
    lb::hash64(sorted.as_deref().unwrap_or_else(|_| tool.get()).as_bytes())
}

#[derive(Deserialize)]
struct Response<'a> {
    #[serde(borrow)]
    result: Tools<'a>,
}

#[derive(Deserialize)]
struct Tools<'a> {
    #[serde(borrow)]
    tools: Vec<&'a RawValue>,
    #[serde(borrow, default, rename = "nextCursor")]
    next_cursor: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow, default)]
    annotations: Option<Hints<'a>>,
}

#[derive(Default, Deserialize)]
struct Hints<'a> {
    #[serde(borrow, default, rename = "readOnlyHint")]
    read_only: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "idempotentHint")]
    idempotent: Option<&'a RawValue>,
}

/// A text, borrowed if it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_may_run_twice_only_if_it_says_so() {
        for (annotations, repeatable) in [
            ("", false),
            (r#","annotations":null"#, false),
            (r#","annotations":{}"#, false),
            (r#","annotations":{"readOnlyHint":true}"#, true),
            (
                r#","annotations":{"readOnlyHint":false,"idempotentHint":true}"#,
                true,
            ),
            (
                r#","annotations":{"readOnlyHint":false,"idempotentHint":false}"#,
                false,
            ),
            (r#","annotations":{"readOnlyHint":"true"}"#, false),
            (
                r#","annotations":{"readOnlyHint":1,"destructiveHint":false}"#,
                false,
            ),
        ] {
            let text = format!(
                r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{{"name":"a"{annotations}}}]}}}}"#
            );
            let listing = Listing::peek(text.as_bytes()).unwrap();
            assert_eq!(listing.tools[0].repeatable, repeatable, "{annotations}");
            assert_eq!(listing.next, None);
        }
    }

    #[test]
    fn the_order_of_members_is_no_difference() {
        let hash = |tool: &str| {
            let text = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{tool}]}}}}"#);
            Listing::peek(text.as_bytes()).unwrap().tools[0].hash
        };
        let one = r#"{"name":"a","inputSchema":{"type":"object","properties":{}}}"#;
        let other = r#"{"inputSchema": {"properties": {}, "type": "object"}, "name": "a"}"#;
        assert_eq!(hash(one), hash(other));
        assert_ne!(
            hash(one),
            hash(r#"{"name":"a","inputSchema":{"type":"object"}}"#)
        );
        let deep = format!(r#"{{"name":"a","x":{}{}}}"#, "[".repeat(99), "]".repeat(99));
        assert_ne!(hash(one), hash(&deep));
    }

    #[test]
    fn a_page_names_the_next() {
        let text = r#"{"jsonrpc":"2.0","id":1,"result":{"nextCursor":"a\"b","tools":[]}}"#;
        let listing = Listing::peek(text.as_bytes()).unwrap();
        assert_eq!(listing.next.as_deref(), Some("a\"b"));
    }

    #[test]
    fn what_is_no_list_says_nothing() {
        for text in [
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"title":"nameless"}]}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a","name":"b"}]}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            "",
        ] {
            assert_eq!(Listing::peek(text.as_bytes()), None, "{text}");
        }
    }
}
