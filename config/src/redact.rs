//! Lines as they may be shown: secrets masked, everything else as it is and where it is.

use crate::source::{Mark, Source};
use crate::tree::{Node, Plain, Scalar};

/// The lines of a file with their secrets masked.
#[derive(Debug)]
pub(crate) struct Redacted<'a> {
    source: &'a Source<'a>,
    /// In the order of the file. None when the text could not be parsed, so that nobody knows
    /// where the secrets are.
    secrets: Option<Vec<Mark>>,
}

impl<'a> Redacted<'a> {
    /// A file that was parsed.
    pub(crate) fn new(source: &'a Source<'a>, tree: &Node) -> Self {
        let mut secrets = Vec::new();
        collect(tree, false, &mut secrets);
        secrets.sort_unstable();
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

    /// Characters to underline.
    pub(crate) fn length(&self, mark: Mark) -> usize {
        self.source.length(mark)
    }

    /// The line, counted from 1, in which every character of a secret is a `*`; none when it is
    /// too long to be read.
    pub(crate) fn line(&self, line: usize) -> Option<String> {
        let text = self.source.line(line);
        if text.len() > LONGEST {
            return None;
        }
        let mut chars: Vec<char> = text.chars().collect();
        match &self.secrets {
            Some(secrets) => {
                let from = secrets.partition_point(|mark| mark.line < line);
                let here = secrets.iter().skip(from);
                for mark in here.take_while(|mark| mark.line == line) {
                    let start = mark.column.saturating_sub(1);
                    mask(&mut chars, start, start + self.source.length(*mark));
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
        Some(chars.into_iter().collect())
    }

    /// Without a tree: the line has a key that sounds secret, or belongs to `session:`.
    fn suspicious(&self, line: usize) -> bool {
        let mut above = (1..=line).rev().map(|line| self.source.line(line));
        let block = above.find(|text| text.starts_with(|c: char| !c.is_whitespace() && c != '#'));
        sounds_secret(self.source.line(line)) || block.is_some_and(|text| text.contains("session"))
    }
}

/// Every scalar below a key that holds secrets, but for the `id` or `name` beside them and a `file`
/// that holds one. What stands below a
/// misspelt key may be a secret too.
fn collect(node: &Node, secret: bool, found: &mut Vec<Mark>) {
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
                    "file" | "id" | "name" => false,
                    _ => secret || name == "keys" || sounds_secret(name),
                };
                collect(value, below, found);
            }
        }
        Node::Scalar(Scalar {
            value: Plain::Bool(_),
            ..
        }) => {}
        Node::Scalar(scalar) if secret => found.push(scalar.mark()),
        Node::Scalar(_) => {}
        Node::Sequence(items) => {
            for item in items {
                collect(item, secret, found);
            }
        }
    }
}

/// Whether what stands under a key of this name, or in a header of it, may be a secret.
pub(crate) fn sounds_secret(text: &str) -> bool {
    let text = text.to_lowercase().replace('_', "-");
    SECRET.iter().any(|word| text.contains(word))
}

const SECRET: [&str; 9] = [
    "api-key",
    "apikey",
    "authorization",
    "bearer",
    "cookie",
    "credential",
    "passw",
    "secret",
    "token",
];

/// What stands between `://` and `@`.
fn user_information(chars: &mut [char]) {
    let mut from = 0;
    while let Some(at) = chars
        .get(from..)
        .and_then(|rest| rest.windows(3).position(|w| w == [':', '/', '/']))
    {
        let start = from + at + 3;
        let rest = chars.get(start..).unwrap_or_default();
        let url: Vec<char> = rest
            .iter()
            .copied()
            .take_while(|c| !c.is_whitespace())
            .collect();
        if let Some(end) = url.iter().rposition(|c| *c == '@') {
            mask(chars, start, start + end);
        }
        from = start;
    }
}

fn mask(chars: &mut [char], from: usize, to: usize) {
    for c in chars.iter_mut().take(to).skip(from) {
        if !c.is_whitespace() && !matches!(c, '"' | '\'') {
            *c = '*';
        }
    }
}

/// In bytes: wider than any screen.
const LONGEST: usize = 500;
