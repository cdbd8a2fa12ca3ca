//! The text of a file by lines, and the places in it.

/// Some characters of one line.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Span {
    /// From 1.
    pub(crate) line: usize,
    /// In characters, from 1.
    pub(crate) column: usize,
    /// In characters, at least 1.
    pub(crate) length: usize,
}

/// The text of a file by lines.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    /// What messages call it.
    pub(crate) name: &'a str,
    lines: Vec<&'a str>,
}

impl<'a> Source<'a> {
    /// The scan before the parser made sure that a line ends with `\n` or `\r\n` and nothing else.
    pub(crate) fn new(name: &'a str, text: &'a str) -> Self {
        Self {
            name,
            lines: text.lines().collect(),
        }
    }

    /// The text of a line, counted from 1.
    pub(crate) fn line(&self, line: usize) -> &'a str {
        let index = line.saturating_sub(1);
        self.lines.get(index).copied().unwrap_or_default()
    }

    /// The text from a column to the end of the line, both counted from 1.
    pub(crate) fn rest(&self, line: usize, column: usize) -> &'a str {
        let text = self.line(line);
        let skipped = column.saturating_sub(1);
        let start = text.char_indices().nth(skipped).map(|(at, _)| at);
        start.and_then(|at| text.get(at..)).unwrap_or_default()
    }

    /// The scalar that begins at a place; `plain` is its text when it is not quoted.
    pub(crate) fn scalar(&self, line: usize, column: usize, plain: Option<&str>) -> Span {
        let rest = self.rest(line, column);
        let length = match (rest.chars().next(), plain) {
            (Some(quote @ ('"' | '\'')), _) => quoted_length(rest, quote),
            (_, Some(text)) if rest.starts_with(text) => text.chars().count(),
            _ => rest.find([',', ']', '}', '#']).map_or_else(
                || rest.trim_end().chars().count(),
                |end| rest.get(..end).unwrap_or(rest).trim_end().chars().count(),
            ),
        };
        Span {
            line,
            column,
            length: length.max(1),
        }
    }
}

/// Characters of a quoted text, quotes included.
fn quoted_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (i, c) in rest.chars().enumerate().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' && quote == '"' {
            escaped = true;
        } else if c == quote {
            // A doubled single quote ends the span early, which only shortens the carets.
            return i + 1;
        }
    }
    rest.chars().count()
}
