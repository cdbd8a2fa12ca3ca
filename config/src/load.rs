//! From the text to the checked types.

use std::path::Path;

use serde::Deserialize as _;

use crate::check;
use crate::environment::Environment;
use crate::file::File;
use crate::finding::{Finding, Findings};
use crate::loaded::Loaded;
use crate::problem::{Code, Problems};
use crate::redact::Redacted;
use crate::scan::scan;
use crate::shape::Shape;
use crate::source::{Mark, Source};
use crate::{schema, tree};

/// Reads a file of at most 1 MiB.
///
/// # Errors
///
/// Every problem at once; only what is no YAML at all stops at the first.
pub fn load(path: &Path, environment: &dyn Environment) -> Result<Loaded, Problems> {
    let name = path.display().to_string();
    let bytes = match read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let message = format!("the file cannot be read: {error}");
            return Err(refused(&name, Code::Unreadable, message, None));
        }
    };
    match std::str::from_utf8(&bytes) {
        Ok(text) => parse_in(path.parent(), &name, text, environment),
        Err(error) => {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = before.split(|byte| *byte == b'\n').count();
            let message = format!("the file is not UTF-8 (line {line})");
            let help = "save it as UTF-8";
            Err(refused(&name, Code::Hostile, message, Some(help)))
        }
    }
}

/// One byte more than is allowed, so that a device without end is not read to its end.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;

    let limit = u64::try_from(MAX_SIZE)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let mut bytes = Vec::new();
    std::fs::File::open(path)?
        .take(limit)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a text; `name` is what messages call it, and the files that it names are beside it.
/// Never panics, whatever the text.
///
/// # Errors
///
/// Every problem at once; only what is no YAML at all stops at the first.
pub fn parse(name: &str, text: &str, environment: &dyn Environment) -> Result<Loaded, Problems> {
    parse_in(Path::new(name).parent(), name, text, environment)
}

fn parse_in(
    folder: Option<&Path>,
    name: &str,
    text: &str,
    environment: &dyn Environment,
) -> Result<Loaded, Problems> {
    if text.len() > MAX_SIZE {
        let message = "the file is larger than 1 MiB".to_owned();
        return Err(refused(name, Code::Hostile, message, None));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let source = Source::new(name, text);
    let unparsed = Redacted::unparsed(&source);
    let stop = |finding: Finding| {
        let mut found = Findings::default();
        found.add(finding);
        Err(Problems::new(found.finish(&unparsed)))
    };
    if let Err(refusal) = scan(text) {
        let span = place(refusal.line, refusal.column);
        let finding = Finding::new(refusal.code, "", refusal.message).at(span);
        return stop(match refusal.help {
            Some(help) => finding.help(help),
            None => finding,
        });
    }
    let tree = match tree::parse(text) {
        Ok(tree) => tree,
        Err(none) => {
            let mark = none.place.and_then(|(line, column)| place(line, column));
            let finding = match none.hostile {
                Some(bound) => Finding::new(Code::Hostile, "", bound),
                None => Finding::new(Code::Syntax, "", format!("this is not YAML: {}", none.message))
                    .help("look at the indentation, the quotes and the brackets, here and in the line before"),
            };
            return stop(finding.at(mark));
        }
    };
    let redacted = Redacted::new(&source, &tree);
    let mut found = Findings::default();
    if let Some(finding) = check::dialect(&tree) {
        found.add(finding);
        return Err(Problems::new(found.finish(&redacted)));
    }
    let mut shape = Shape {
        source: &source,
        environment,
        found: &mut found,
    };
    let value = match &tree {
        // An empty file lacks what an empty mapping lacks.
        tree::Node::Scalar(scalar) if scalar.value == tree::Plain::Null => {
            shape.value(&tree::Node::Mapping(Vec::new()), schema::get(), "", None)
        }
        tree => shape.value(tree, schema::get(), "", None),
    };
    let loaded = match value.map(File::deserialize) {
        Some(Ok(file)) if !found.full() => {
            let folder = folder.unwrap_or_else(|| Path::new(""));
            Some(check::file(file, folder, &mut found))
        }
        Some(Err(_)) => {
            // Without the error, which may quote a secret.
            let message = "the schema takes what its types do not: this is a defect of backstay";
            found.add(Finding::new(Code::BadValue, "", message));
            None
        }
        _ => None,
    };
    let errors = found.errors();
    let problems = found.finish(&redacted);
    match loaded {
        Some(loaded) if !errors => Ok(Loaded {
            warnings: problems,
            ..loaded
        }),
        _ => Err(Problems::new(problems)),
    }
}

fn place(line: usize, column: usize) -> Option<Mark> {
    (line > 0).then_some(Mark {
        line,
        column,
        length: Some(1),
    })
}

fn refused(name: &str, code: Code, message: String, help: Option<&str>) -> Problems {
    let source = Source::new(name, "");
    let mut found = Findings::default();
    let finding = Finding::new(code, "", message);
    found.add(match help {
        Some(help) => finding.help(help),
        None => finding,
    });
    Problems::new(found.finish(&Redacted::unparsed(&source)))
}

/// 5,000 groups take half of it.
const MAX_SIZE: usize = 1 << 20;
