//! What is wrong with a file, where, and what to do about it.

use std::fmt;

use serde_json::{Value, json};

use crate::render;

/// Everything that is wrong with a file, in its order. `Display` renders each as [`Problem`] does,
/// with an empty line between two.
#[derive(Clone, Debug)]
pub struct Problems(Vec<Problem>);

impl Problems {
    pub(crate) fn new(problems: Vec<Problem>) -> Self {
        Self(problems)
    }

    /// The problems, in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }

    /// A list of objects with `code`, `severity`, `path`, `file`, `line`, `column`, `message` and,
    /// where there is one, `help`.
    pub fn to_json(&self) -> Value {
        self.0.iter().map(Problem::to_json).collect()
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// One thing that is wrong with a file. `Display` shows the line with a caret under the place.
///
/// Never holds the value of a secret: secrets in the shown line are masked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// What kind of problem it is.
    pub code: Code,
    /// Whether the file can be used all the same.
    pub severity: Severity,
    /// The key, as in `groups[0].peers[1].url`; empty for the file as a whole.
    pub path: String,
    /// The name of the file.
    pub file: String,
    /// The line, from 1; 0 when the problem has no place in the text.
    pub line: usize,
    /// The column in characters, from 1; 0 when the problem has no place in the text.
    pub column: usize,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// None without a place, and when the line is too long to be read.
    pub(crate) excerpt: Option<Excerpt>,
}

/// The line a problem is shown with.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Excerpt {
    /// The line itself, secrets masked.
    pub(crate) text: String,
    /// Characters to underline.
    pub(crate) length: usize,
    /// What stands beside the carets.
    pub(crate) label: Option<String>,
}

impl Problem {
    fn to_json(&self) -> Value {
        let mut object = json!({
            "code": self.code.as_str(),
            "severity": self.severity.as_str(),
            "path": self.path,
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "message": self.message,
        });
        if let (Some(help), Some(object)) = (&self.help, object.as_object_mut()) {
            object.insert("help".to_owned(), help.as_str().into());
        }
        object
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&render::plain(self))
    }
}

/// Whether a file with the problem can be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Severity {
    /// The file is refused.
    Error,
    /// The file is used; the operator should look.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// What kind of problem it is. The text of a code never changes its meaning.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Code {
    /// `E0001`: the file cannot be read.
    Unreadable,
    /// `E0002`: it is not text, too large, or nested or repeated beyond all use.
    Hostile,
    /// `E0003`: it is not YAML, or YAML this program does not take.
    Syntax,
    /// `E0101`: no such key.
    UnknownKey,
    /// `E0102`: the key is there twice.
    DuplicateKey,
    /// `E0103`: a key that must be there is not.
    MissingKey,
    /// `E0104`: the value is of another kind.
    WrongType,
    /// `E0105`: the value is of the right kind, but it cannot be read.
    BadValue,
    /// `E0106`: the number, duration or size is too small or too large.
    OutOfRange,
    /// `E0107`: the value reads a variable that is not set, or is wrongly written.
    Environment,
    /// `E0108`: the text means something else under YAML 1.1.
    Ambiguous,
    /// `E0201`: two things have the same name.
    DuplicateName,
    /// `E0202`: nothing has this name.
    UnknownName,
    /// `E0203`: two values exclude each other.
    Contradiction,
    /// `E0204`: a file that is named cannot be used.
    UnusableFile,
    /// `E0301`: right, but this version does not do it yet.
    NotAvailable,
    /// `W0001`: it has no effect.
    NoEffect,
    /// `W0002`: it works, but most likely not as meant.
    Doubtful,
}

impl Code {
    /// The text of the code, as in `E0101`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "E0001",
            Self::Hostile => "E0002",
            Self::Syntax => "E0003",
            Self::UnknownKey => "E0101",
            Self::DuplicateKey => "E0102",
            Self::MissingKey => "E0103",
            Self::WrongType => "E0104",
            Self::BadValue => "E0105",
            Self::OutOfRange => "E0106",
            Self::Environment => "E0107",
            Self::Ambiguous => "E0108",
            Self::DuplicateName => "E0201",
            Self::UnknownName => "E0202",
            Self::Contradiction => "E0203",
            Self::UnusableFile => "E0204",
            Self::NotAvailable => "E0301",
            Self::NoEffect => "W0001",
            Self::Doubtful => "W0002",
        }
    }

    /// What a problem of this kind does to the file.
    pub const fn severity(self) -> Severity {
        match self {
            Self::NoEffect | Self::Doubtful => Severity::Warning,
            _ => Severity::Error,
        }
    }
}
