//! Problems while they are collected: by the key they belong to.

use std::collections::BTreeMap;

use crate::problem::{Code, Excerpt, Problem};
use crate::redact::Redacted;
use crate::source::Span;

/// A problem before it has its line.
#[derive(Debug)]
pub(crate) struct Finding {
    code: Code,
    path: String,
    part: Part,
    span: Option<Span>,
    message: String,
    label: Option<String>,
    help: Option<String>,
}

/// What the carets are under.
#[derive(Clone, Copy, Debug)]
enum Part {
    Key,
    Value,
}

impl Finding {
    /// At the value of a key.
    pub(crate) fn new(code: Code, path: &str, message: impl Into<String>) -> Self {
        Self {
            code,
            path: path.to_owned(),
            part: Part::Value,
            span: None,
            message: message.into(),
            label: None,
            help: None,
        }
    }

    /// At the key instead.
    pub(crate) fn on_key(mut self) -> Self {
        self.part = Part::Key;
        self
    }

    /// At a place that no key leads to.
    pub(crate) fn at(mut self, span: Option<Span>) -> Self {
        self.span = span;
        self
    }

    /// A few words beside the carets.
    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// What to do.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Where a key and its value are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    pub(crate) key: Option<Span>,
    pub(crate) value: Option<Span>,
}

/// Every problem so far, and where each key of the file is.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    found: Vec<Finding>,
    places: BTreeMap<String, Place>,
}

impl Findings {
    pub(crate) fn add(&mut self, finding: Finding) {
        self.found.push(finding);
    }

    /// Remembers where a key is.
    pub(crate) fn place(&mut self, path: &str, place: Place) {
        self.places.insert(path.to_owned(), place);
    }

    /// The file has this key, whatever its value.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.places.contains_key(path)
    }

    /// The line of a key.
    pub(crate) fn line(&self, path: &str) -> Option<usize> {
        let place = self.places.get(path)?;
        place.value.or(place.key).map(|span| span.line)
    }

    /// A problem with this key, or with one below it, was found before.
    pub(crate) fn touched(&self, path: &str) -> bool {
        self.found.iter().any(|finding| {
            finding.path.strip_prefix(path).is_some_and(|rest| {
                rest.is_empty() || rest.starts_with('.') || rest.starts_with('[')
            })
        })
    }

    /// All problems in the order of the file, at most [`SHOWN`] of them.
    pub(crate) fn finish(self, source: &Redacted<'_>) -> Vec<Problem> {
        let mut problems: Vec<Problem> = self
            .found
            .into_iter()
            .map(|finding| {
                let span = finding.span.or_else(|| nearest(&self.places, &finding));
                problem(finding, span, source)
            })
            .collect();
        problems.sort_by_key(|problem| (problem.line, problem.column));
        if problems.len() > SHOWN {
            let hidden = problems.len() - SHOWN;
            problems.truncate(SHOWN);
            let more = Finding::new(
                Code::Hostile,
                "",
                format!("{hidden} more problems are not shown"),
            );
            problems.push(problem(more, None, source));
        }
        problems
    }
}

/// The place of the finding, or of what it is in.
fn nearest(places: &BTreeMap<String, Place>, finding: &Finding) -> Option<Span> {
    let mut path = finding.path.as_str();
    let mut part = finding.part;
    loop {
        if let Some(place) = places.get(path) {
            let spans = match part {
                Part::Key => (place.key, place.value),
                Part::Value => (place.value, place.key),
            };
            if let Some(span) = spans.0.or(spans.1) {
                return Some(span);
            }
        }
        path = path.get(..path.rfind(['.', '['])?)?;
        part = Part::Key;
    }
}

fn problem(finding: Finding, span: Option<Span>, source: &Redacted<'_>) -> Problem {
    Problem {
        code: finding.code,
        severity: finding.code.severity(),
        path: finding.path,
        file: source.name().to_owned(),
        line: span.map_or(0, |span| span.line),
        column: span.map_or(0, |span| span.column),
        message: finding.message,
        help: finding.help,
        excerpt: Excerpt {
            text: span.map(|span| source.line(span.line)).unwrap_or_default(),
            length: span.map_or(0, |span| span.length),
            label: finding.label,
        },
    }
}

/// Who has more reads the first, mends, and asks again.
const SHOWN: usize = 200;
