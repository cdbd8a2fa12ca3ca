//! Problems while they are collected: by the key they belong to.

use std::collections::{BTreeMap, BTreeSet};

use crate::problem::{Code, Excerpt, Problem, Severity};
use crate::redact::Redacted;
use crate::source::Mark;

/// A problem before it has its line.
#[derive(Debug)]
pub(crate) struct Finding {
    code: Code,
    path: String,
    part: Part,
    mark: Option<Mark>,
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
            mark: None,
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
    pub(crate) fn at(mut self, mark: Option<Mark>) -> Self {
        self.mark = mark;
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
    pub(crate) key: Option<Mark>,
    pub(crate) value: Option<Mark>,
}

/// Every problem so far, and where each key of the file is.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    found: Vec<Finding>,
    /// Those beyond [`MOST`].
    more: usize,
    errors: bool,
    places: BTreeMap<String, Place>,
    excused: BTreeSet<String>,
}

impl Findings {
    pub(crate) fn add(&mut self, finding: Finding) {
        self.errors |= finding.code.severity() == Severity::Error;
        if self.full() {
            self.more += 1;
        } else {
            self.found.push(finding);
        }
    }

    /// There is no use in looking for more.
    pub(crate) fn full(&self) -> bool {
        self.found.len() >= MOST
    }

    /// The file cannot be used.
    pub(crate) fn errors(&self) -> bool {
        self.errors
    }

    /// Remembers where a key is.
    pub(crate) fn place(&mut self, path: &str, place: Place) {
        self.places.insert(path.to_owned(), place);
    }

    /// The key stands in the file under another name, which was reported: it is not missing.
    pub(crate) fn excuse(&mut self, path: String) {
        self.excused.insert(path);
    }

    /// The file has this key, whatever its value.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.places.contains_key(path)
    }

    /// The line of a key.
    pub(crate) fn line(&self, path: &str) -> Option<usize> {
        let place = self.places.get(path)?;
        place.value.or(place.key).map(|mark| mark.line)
    }

    /// A problem with this key, or with one below it, was found before.
    pub(crate) fn touched(&self, path: &str) -> bool {
        let below = |found: &str| {
            found.strip_prefix(path).is_some_and(|rest| {
                rest.is_empty() || rest.starts_with('.') || rest.starts_with('[')
            })
        };
        self.found.iter().any(|finding| below(&finding.path))
            || self.excused.iter().any(|path| below(path))
    }

    /// All problems in the order of the file.
    pub(crate) fn finish(self, source: &Redacted<'_>) -> Vec<Problem> {
        let places = self.places;
        let problems = self.found.into_iter().map(|finding| {
            let mark = finding.mark.or_else(|| nearest(&places, &finding));
            problem(finding, mark, source)
        });
        let mut problems: Vec<Problem> = problems.collect();
        problems.sort_by_key(|problem| (problem.line, problem.column));
        if self.more > 0 {
            let message = format!("{} more problems are not shown", self.more);
            let more = Finding::new(Code::Doubtful, "", message);
            problems.push(problem(more, None, source));
        }
        problems
    }
}

/// The place of the finding, or of what it is in.
fn nearest(places: &BTreeMap<String, Place>, finding: &Finding) -> Option<Mark> {
    let mut path = finding.path.as_str();
    let mut part = finding.part;
    loop {
        if let Some(place) = places.get(path) {
            let mark = match part {
                Part::Key => place.key.or(place.value),
                Part::Value => place.value.or(place.key),
            };
            if mark.is_some() {
                return mark;
            }
        }
        path = path.get(..path.rfind(['.', '['])?)?;
        part = Part::Key;
    }
}

fn problem(finding: Finding, mark: Option<Mark>, source: &Redacted<'_>) -> Problem {
    let excerpt = mark.and_then(|mark| {
        Some(Excerpt {
            text: source.line(mark.line)?,
            length: source.length(mark),
            label: finding.label,
        })
    });
    Problem {
        code: finding.code,
        severity: finding.code.severity(),
        path: finding.path,
        file: source.name().to_owned(),
        line: mark.map_or(0, |mark| mark.line),
        column: mark.map_or(0, |mark| mark.column),
        message: finding.message,
        help: finding.help,
        excerpt,
    }
}

/// Who has more reads the first, mends, and asks again; and a hostile file costs no more.
const MOST: usize = 200;
