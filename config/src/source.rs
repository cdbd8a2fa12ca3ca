//! The text of a file by lines, and the places in it.

/// Where a scalar or key begins. Cheap: what it spans is looked up when it is shown.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Mark {
    /// From 1.
    pub(crate) line: usize,
    /// In characters, from 1.
    pub(crate) column: usize,
    /// Characters of a text that has no quotes; none when only the file knows.
    pub(crate) length: Option<usize>,
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

    /// Whether the scalar is in quotes.
    pub(crate) fn quoted(&self, mark: Mark) -> bool {
        self.rest(mark).starts_with(['"', '\''])
    }

    /// Characters of the scalar as it stands in the file, quotes included.
    pub(crate) fn length(&self, mark: Mark) -> usize {
        let rest = self.rest(mark);
        let length = match (rest.chars().next(), mark.length) {
            (Some(quote @ ('"' | '\'')), _) => quoted_length(rest, quote),
            (_, Some(length)) => length,
            // Numbers and truth values hold neither of these.
            _ => rest
                .chars()
                .take_while(|c| !matches!(c, ',' | ']' | '}' | ':') && !c.is_whitespace())
                .count(),
        };
        length.max(1)
    }

    fn rest(&self, mark: Mark) -> &'a str {
        let text = self.line(mark.line);
        let skipped = mark.column.saturating_sub(1);
        let start = text.char_indices().nth(skipped).map(|(at, _)| at);
        start.and_then(|at| text.get(at..)).unwrap_or_default()
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
            // A doubled single quote ends it early, which only shortens the carets.
            return i + 1;
        }
    }
    rest.chars().count()
}
