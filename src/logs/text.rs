//! Events for people: `WARN  circuit_breaker_opened group=search peer=eu failures=3`.

use std::fmt::Write as _;

use serde_json::Value;

use super::Entry;

/// An event on one line, without its end. The time is left to whoever collects the lines.
pub(crate) fn text(entry: &Entry) -> String {
    let mut line = format!("{:<5} ", entry.level);
    plain(&mut line, &entry.event);
    for (name, value) in &entry.fields {
        line.push(' ');
        line.push_str(name);
        line.push('=');
        match value {
            Value::String(text) => quoted(&mut line, text),
            // Writing into a string does not fail.
            value => drop(write!(line, "{value}")),
        }
    }
    line
}

/// Adds a text as it is, control characters aside: an escape sequence would reach the terminal.
fn plain(line: &mut String, text: &str) {
    for c in text.chars() {
        if is_plain(c) {
            line.push(c);
        } else {
            line.extend(c.escape_debug());
        }
    }
}

/// Adds a value so that it can be told where it ends.
fn quoted(line: &mut String, text: &str) {
    let bare = |c: char| is_plain(c) && !c.is_whitespace() && !matches!(c, '"' | '=' | '\\');
    if !text.is_empty() && text.chars().all(bare) {
        line.push_str(text);
        return;
    }
    line.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            line.push('\\');
        }
        plain(line, c.encode_utf8(&mut [0; 4]));
    }
    line.push('"');
}

/// Neither a control character nor one that turns the direction of what follows.
fn is_plain(c: char) -> bool {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let separates = matches!(c, '\u{2028}' | '\u{2029}');
    !c.is_control() && !turns && !separates
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;
    use tracing::Level;

    #[test]
    fn values_can_neither_end_the_line_nor_reach_the_terminal() {
        let rows = [
            ("eu", "eu"),
            ("http://127.0.0.1:9001/mcp", "http://127.0.0.1:9001/mcp"),
            ("", "\"\""),
            ("two words", "\"two words\""),
            ("say \"hi\"", "\"say \\\"hi\\\"\""),
            ("back\\slash", "\"back\\\\slash\""),
            ("a=b", "\"a=b\""),
            ("x\nINFO  forged", "\"x\\nINFO  forged\""),
            ("\u{1b}[31mred", "\"\\u{1b}[31mred\""),
            ("\u{9b}31m", "\"\\u{9b}31m\""),
            ("\u{202e}abc", "\"\\u{202e}abc\""),
            ("zürich", "zürich"),
        ];
        for (value, expected) in rows {
            let entry = Entry {
                at: UNIX_EPOCH,
                level: Level::WARN,
                target: String::new(),
                event: "peer_lost".to_owned(),
                fields: vec![("peer", value.into()), ("n", 3.into())],
            };
            let line = format!("WARN  peer_lost peer={expected} n=3");
            assert_eq!(text(&entry), line, "{value:?}");
        }
    }
}
