//! Lines as they may be shown: secrets masked, everything else as it is and where it is.

use crate::source::{Source, Span};
use crate::tree::{Node, Plain, Scalar};

/// The lines of a file with their secrets masked.
#[derive(Debug)]
pub(crate) struct Redacted<'a> {
    source: &'a Source<'a>,
    /// None when the text could not be parsed, so that nobody knows where the secrets are.
    secrets: Option<Vec<Span>>,
}

impl<'a> Redacted<'a> {
    /// A file that was parsed.
    pub(crate) fn new(source: &'a Source<'a>, tree: &Node) -> Self {
        let mut secrets = Vec::new();
        collect(tree, false, source, &mut secrets);
        Self {
            source,
            secrets: Some(secrets),
        }
    }

    /// A file that was not.
    pub(crate) fn unparsed(source: &'a Source<'a>) -> Self {
        Self {
            source,
            secrets: None,
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.source.name
    }

    /// The line, counted from 1, in which every character of a secret is a `*`.
    pub(crate) fn line(&self, line: usize) -> String {
        let text = self.source.line(line);
        let mut chars: Vec<char> = text.chars().collect();
        match &self.secrets {
            Some(secrets) => {
                for span in secrets.iter().filter(|span| span.line == line) {
                    mask(&mut chars, span.column - 1, span.column - 1 + span.length);
                }
            }
            None if self.suspicious(line) => {
                let from = chars.iter().position(|c| *c == ':').map_or(0, |at| at + 1);
                let end = chars.len();
                mask(&mut chars, from, end);
            }
            None => {}
        }
        user_information(&mut chars);
        chars.into_iter().collect()
    }

    /// Without a tree: the line has a key that sounds secret, or belongs to `session:`.
    fn suspicious(&self, line: usize) -> bool {
        let mut above = (1..=line).rev().map(|line| self.source.line(line));
        let block = above.find(|text| text.starts_with(|c: char| !c.is_whitespace() && c != '#'));
        secret_key(self.source.line(line)) || block.is_some_and(|text| text.contains("session"))
    }
}

/// Every scalar below a key that holds secrets, but for the `id` beside them. What stands below a
/// misspelt key may be a secret too.
fn collect(node: &Node, secret: bool, source: &Source<'_>, found: &mut Vec<Span>) {
    match node {
        Node::Mapping(entries) => {
            for (key, value) in entries {
                let name = match key {
                    Node::Scalar(Scalar {
                        value: Plain::Text(name),
                        ..
                    }) => name.as_str(),
                    _ => "",
                };
                let below = match name {
                    "id" => false,
                    _ => secret || name == "keys" || secret_key(name),
                };
                collect(value, below, source, found);
            }
        }
        Node::Scalar(scalar) if secret => {
            // To the end of the line at least, since the value may not be what it seems.
            let plain = source.rest(scalar.line, scalar.column).trim_end();
            let plain = plain.split([',', '}', ']']).next();
            found.push(source.scalar(scalar.line, scalar.column, plain));
        }
        Node::Scalar(_) => {}
        Node::Sequence(items) => {
            for item in items {
                collect(item, secret, source, found);
            }
        }
    }
}

fn secret_key(text: &str) -> bool {
    let text = text.to_lowercase();
    ["secret", "token", "password", "passwd", "credential"]
        .iter()
        .any(|word| text.contains(word))
}

/// What stands between `://` and `@`.
fn user_information(chars: &mut [char]) {
    let Some(start) = chars.windows(3).position(|w| w == [':', '/', '/']) else {
        return;
    };
    let start = start + 3;
    let rest = chars.get(start..).unwrap_or_default();
    let end = rest.iter().take_while(|c| !c.is_whitespace());
    let end = end.collect::<Vec<_>>();
    if let Some(at) = end.iter().rposition(|c| **c == '@') {
        mask(chars, start, start + at);
    }
}

fn mask(chars: &mut [char], from: usize, to: usize) {
    for c in chars.iter_mut().take(to).skip(from) {
        if !c.is_whitespace() && !matches!(c, '"' | '\'') {
            *c = '*';
        }
    }
}
