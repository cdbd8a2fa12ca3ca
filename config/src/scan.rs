//! One linear look at the text before the YAML parser sees it.
//!
//! The parser needs time that grows with the square of the depth of `[` and `{`: 100,000 of them
//! take it half a minute. What nests is only known to who knows what is quoted, so this scan reads
//! the tokens exactly. To be exact in few lines it refuses what a configuration does not need and
//! what makes YAML hard to read: texts that go on in the next line, `|` and `>` blocks, tags, `?`
//! keys.

use std::collections::BTreeSet;

use crate::problem::Code;

/// What the scan refused: where (line and column from 1; 0 for the file as a whole), and why.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) message: String,
    pub(crate) help: Option<&'static str>,
}

/// Passes a text whose parsing costs little, in one pass over it.
///
/// # Errors
///
/// The first thing the text must not have.
pub(crate) fn scan(text: &str) -> Result<(), Refusal> {
    let mut scan = Scan::default();
    for (i, line) in text.lines().enumerate() {
        scan.line = i + 1;
        let chars: Vec<char> = line.chars().collect();
        scan.characters(&chars)?;
        scan.tokens(&chars)?;
    }
    Ok(())
}

#[derive(Debug, Default)]
struct Scan {
    line: usize,
    /// There was something besides comments and `---`.
    started: bool,
    /// Open `[` and `{`.
    depth: usize,
    /// Column (from 0) of the innermost `- ` or key of a block.
    parent: Option<usize>,
    /// The last line ended inside a plain text, which YAML would continue in the next.
    unfinished: bool,
    anchors: BTreeSet<String>,
    aliases: usize,
}

impl Scan {
    /// Only characters that show, so that what one sees is what is read. Other line ends than `\n`
    /// and `\r\n` would put every position off.
    fn characters(&self, chars: &[char]) -> Result<(), Refusal> {
        let bad = |c: char| {
            (c.is_control() && c != '\t')
                || matches!(
                    c,
                    '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
                )
        };
        match chars.iter().position(|c| bad(*c)) {
            Some(at) => {
                let code = chars.get(at).map_or(0, |c| u32::from(*c));
                let message = format!("the character U+{code:04X} is not allowed");
                Err(self.refuse(
                    Code::Hostile,
                    at,
                    message,
                    "delete it, or write it as an escape in double quotes",
                ))
            }
            None => Ok(()),
        }
    }

    fn tokens(&mut self, chars: &[char]) -> Result<(), Refusal> {
        let Some(start) = chars.iter().position(|c| !blank(*c)) else {
            return Ok(());
        };
        let first = chars.get(start).copied().unwrap_or_default();
        if first == '#' {
            return Ok(());
        }
        let marker = matches!(chars.get(..3), Some(['-', '-', '-'] | ['.', '.', '.']));
        if marker && first == '-' && self.started {
            let message = "a second document begins here".to_owned();
            let help = "one file is one configuration: delete the `---`";
            return Err(self.refuse(Code::Syntax, 0, message, help));
        }
        self.started |= !marker;
        if self.unfinished && !marker {
            let goes_on = match self.depth {
                0 => self.parent.is_none_or(|parent| start > parent),
                _ => !matches!(first, ',' | ']' | '}' | ':'),
            };
            if goes_on {
                return Err(self.refuse(
                    Code::Syntax,
                    start,
                    "a text goes on in the next line".to_owned(),
                    "write it on one line, or check the indentation and the `:` of the line before",
                ));
            }
        }
        self.unfinished = false;
        let mut at = start;
        let mut dashes = 0;
        while let Some(c) = chars.get(at).copied() {
            let next = chars.get(at + 1).copied();
            let separated = next.is_none_or(blank);
            match c {
                _ if blank(c) => at += 1,
                '#' if at == 0 || chars.get(at - 1).copied().is_some_and(blank) => break,
                '"' | '\'' => at = self.quoted(chars, at, c)?,
                '[' | '{' => {
                    self.depth += 1;
                    if self.depth > MAX_DEPTH {
                        return Err(self.refuse(
                            Code::Hostile,
                            at,
                            format!("more than {MAX_DEPTH} `[` and `{{` inside each other"),
                            "nothing in this file nests that deep",
                        ));
                    }
                    at += 1;
                }
                ']' | '}' => {
                    self.depth = self.depth.saturating_sub(1);
                    at += 1;
                }
                ',' => at += 1,
                '-' if separated => {
                    dashes += 1;
                    if dashes > MAX_DEPTH {
                        return Err(self.refuse(
                            Code::Hostile,
                            at,
                            format!("more than {MAX_DEPTH} lists inside each other"),
                            "nothing in this file nests that deep",
                        ));
                    }
                    if self.depth == 0 {
                        self.parent = Some(at);
                    }
                    at += 1;
                }
                ':' if separated || self.depth > 0 => at += 1,
                '?' if separated || self.depth > 0 => {
                    return Err(self.refuse(
                        Code::Syntax,
                        at,
                        "`?` keys are not used in this file".to_owned(),
                        "write `key: value`, and quote a text that begins with `?`",
                    ));
                }
                '&' | '*' => at = self.anchor(chars, at)?,
                '!' => {
                    return Err(self.refuse(
                        Code::Syntax,
                        at,
                        "tags are not used in this file".to_owned(),
                        "quote a text that begins with `!`",
                    ));
                }
                '|' | '>' if self.depth == 0 => {
                    return Err(self.refuse(
                        Code::Syntax,
                        at,
                        format!("`{c}` blocks are not used in this file"),
                        "write the text on one line",
                    ));
                }
                _ => at = self.plain(chars, at)?,
            }
        }
        Ok(())
    }

    /// A quoted text, to behind its closing quote.
    fn quoted(&mut self, chars: &[char], start: usize, quote: char) -> Result<usize, Refusal> {
        let mut at = start + 1;
        while let Some(c) = chars.get(at).copied() {
            let escapes = match quote {
                '"' => c == '\\',
                _ => c == quote && chars.get(at + 1) == Some(&quote),
            };
            if escapes {
                at += 2;
            } else if c == quote {
                self.key(chars, start, at + 1)?;
                return Ok(at + 1);
            } else {
                at += 1;
            }
        }
        Err(self.refuse(
            Code::Syntax,
            start,
            format!("this {quote} has no closing {quote} on its line"),
            "close it; a text cannot go on in the next line",
        ))
    }

    /// A text without quotes, to behind its last character and the blanks after it.
    fn plain(&mut self, chars: &[char], start: usize) -> Result<usize, Refusal> {
        let mut at = start;
        while let Some(c) = chars.get(at).copied() {
            let separated = chars.get(at + 1).copied().is_none_or(blank);
            let ends = match c {
                ':' => separated,
                '#' => at > start && chars.get(at - 1).copied().is_some_and(blank),
                ',' | '[' | ']' | '{' | '}' => self.depth > 0,
                _ => false,
            };
            if ends {
                if c == '{' && chars.get(at - 1) == Some(&'$') {
                    return Err(self.refuse(
                        Code::Syntax,
                        at - 1,
                        "`${` inside `{…}` or `[…]` must be quoted".to_owned(),
                        "write \"${VAR}\", in quotes",
                    ));
                }
                self.key(chars, start, at)?;
                return Ok(at);
            }
            at += 1;
        }
        self.unfinished = true;
        Ok(at)
    }

    /// Remembers the column of a text of a block when it is a key.
    fn key(&mut self, chars: &[char], start: usize, end: usize) -> Result<(), Refusal> {
        let rest = chars.get(end..).unwrap_or_default();
        let mut rest = rest.iter().copied().skip_while(|c| blank(*c));
        if rest.next() != Some(':') {
            return Ok(());
        }
        if end - start > MAX_KEY {
            let message = format!("a key has more than {MAX_KEY} characters");
            return Err(self.refuse(
                Code::Hostile,
                start,
                message,
                "no key in this file is that long",
            ));
        }
        if self.depth == 0 && rest.next().is_none_or(blank) {
            self.parent = Some(start);
        }
        Ok(())
    }

    /// `&name` or `*name`, to behind it. The parser mixes up anchors that share a name, and aliases
    /// of aliases grow without end.
    fn anchor(&mut self, chars: &[char], start: usize) -> Result<usize, Refusal> {
        let name = chars.get(start + 1..).unwrap_or_default().iter();
        let name: String = name
            .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
            .collect();
        let end = start + 1 + name.len();
        if chars.get(start) == Some(&'*') {
            self.aliases += 1;
            if self.aliases > MAX_ALIASES {
                return Err(self.refuse(
                    Code::Hostile,
                    start,
                    format!("more than {MAX_ALIASES} aliases"),
                    "write the values out",
                ));
            }
        } else if self.anchors.len() >= MAX_ANCHORS {
            return Err(self.refuse(
                Code::Hostile,
                start,
                format!("more than {MAX_ANCHORS} anchors"),
                "write the values out",
            ));
        } else if let Some(twice) = self.anchors.replace(name) {
            return Err(self.refuse(
                Code::Syntax,
                start,
                format!("the anchor `&{twice}` is there twice"),
                "give it another name",
            ));
        }
        Ok(end)
    }

    fn refuse(&self, code: Code, at: usize, message: String, help: &'static str) -> Refusal {
        Refusal {
            code,
            line: self.line,
            column: at + 1,
            message,
            help: Some(help),
        }
    }
}

fn blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

/// Ten times what the format needs, and nothing for the parser.
const MAX_DEPTH: usize = 64;

/// The names of headers are the longest keys. The parser spells them out for each value below.
const MAX_KEY: usize = 128;

/// More than any hand-written file has.
const MAX_ANCHORS: usize = 256;

/// Enough for one in each group of a large file. What they expand to is bounded by the tree.
const MAX_ALIASES: usize = 10_000;
