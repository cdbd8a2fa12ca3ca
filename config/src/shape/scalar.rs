//! Texts, numbers and truth values.

use std::fmt::Write as _;

use serde_json::Value;

use super::{Shape, last, yaml11};
use crate::finding::Finding;
use crate::interpolate::interpolate;
use crate::problem::Code;
use crate::tree::{Plain, Scalar};
use crate::units::{KIND_KEY, Kind, NoQuantity};
use crate::{schema, suggest};

impl Shape<'_> {
    /// The value in the first of the forms that takes it.
    pub(super) fn scalar(
        &mut self,
        scalar: &Scalar,
        forms: &[&'static Value],
        path: &str,
    ) -> Option<Value> {
        if scalar.value == Plain::Null {
            let expected = expected(forms);
            let finding = Finding::new(
                Code::WrongType,
                path,
                format!("`{}` has no value", last(path)),
            );
            let finding = finding.on_key().label(format!("expected {expected}"));
            self.found
                .add(finding.help("give it a value, or delete the key"));
            return None;
        }
        if !self.ambiguous(scalar, path, "value") {
            return None;
        }
        let mut filled = None;
        if let Plain::Text(text) = &scalar.value {
            match interpolate(text, self.environment) {
                Ok(text) => filled = Some(text),
                Err(unfilled) => {
                    let finding = Finding::new(Code::Environment, path, unfilled.message);
                    self.found.add(finding.help(unfilled.help));
                    return None;
                }
            }
        }
        // What came out of a variable is a number where a number belongs.
        let read = filled.as_ref().is_some_and(|filled| filled.changed);
        let value = match filled {
            Some(filled) => Plain::Text(filled.text),
            None => scalar.value.clone(),
        };
        let mut rejected = Rejection::WrongType;
        for form in forms {
            match take(&value, form, read) {
                Ok(value) => return Some(value),
                Err(rejection) => rejected = rejected.max(rejection),
            }
        }
        let finding = explain(scalar, rejected, forms, path);
        self.found.add(finding);
        None
    }

    /// Whether the text is the same thing to YAML 1.1 and 1.2; reports it otherwise.
    pub(super) fn ambiguous(&mut self, scalar: &Scalar, path: &str, part: &str) -> bool {
        let Plain::Text(text) = &scalar.value else {
            return true;
        };
        let meaning = yaml11::meaning(text);
        let Some(meaning) = meaning.filter(|_| !self.source.quoted(scalar.mark())) else {
            return true;
        };
        let message =
            format!("the {part} `{text}` is {meaning} to YAML 1.1, but a text to YAML 1.2");
        let finding = Finding::new(Code::Ambiguous, path, message).at(Some(scalar.mark()));
        let help = match meaning {
            "a truth value" => "write `true` or `false` for a truth value, or quote the text",
            _ => "quote the text, or write the number without `_` and leading zeros",
        };
        self.found.add(finding.help(help));
        false
    }
}

/// What is wrong with a value that no form takes.
fn explain(scalar: &Scalar, rejection: Rejection, forms: &[&'static Value], path: &str) -> Finding {
    let key = last(path);
    let expected = expected(forms);
    // Never the value of a variable: the text as the file has it.
    let written = scalar.shown();
    let label = format!("expected {expected}");
    match rejection {
        Rejection::Bare(unit) => Finding::new(Code::BadValue, path, format!("`{key}` has no unit"))
            .label(label)
            .help(bare_help(scalar, unit)),
        Rejection::OutOfRange => {
            let most = forms
                .iter()
                .find_map(|form| kind(form))
                .map(|kind| kind.most);
            Finding::new(Code::OutOfRange, path, format!("`{key}` is out of range"))
                .label(most.map_or(label, |most| format!("at most {most}")))
        }
        Rejection::Unreadable => {
            let message = format!("`{key}` cannot be `{written}`");
            Finding::new(Code::BadValue, path, message).label(label)
        }
        Rejection::NoWord => {
            let finding = Finding::new(
                Code::BadValue,
                path,
                format!("`{key}` cannot be `{written}`"),
            );
            let words: Vec<&str> = forms
                .iter()
                .filter_map(|form| schema::words(form))
                .flatten()
                .collect();
            match suggest::nearest(&written, &words).or_else(|| synonym(&written, &words)) {
                Some(word) => finding
                    .label(format!("did you mean `{word}`?"))
                    .help(format!("expected {expected}")),
                None => finding.label(label),
            }
        }
        Rejection::WrongType => {
            let is = match scalar.value {
                Plain::Bool(_) => "a truth value",
                Plain::Float(_) | Plain::Integer(_) => "a number",
                Plain::Null | Plain::Text(_) => "a text",
            };
            let finding = Finding::new(
                Code::WrongType,
                path,
                format!("`{key}` is {is}, but must be {expected}"),
            )
            .label(label);
            let list = forms
                .iter()
                .any(|form| form.get("type").is_some_and(|is| is == "array"));
            match scalar.value {
                Plain::Bool(_) | Plain::Float(_) | Plain::Integer(_) if expected == "a text" => {
                    finding.help("put it in quotes")
                }
                Plain::Text(_) if written.parse::<f64>().is_ok() => {
                    finding.help("write it without quotes")
                }
                _ if list => finding.help("write it as a list, in `[` and `]`"),
                _ => finding,
            }
        }
    }
}

fn bare_help(scalar: &Scalar, unit: &str) -> String {
    let number = match &scalar.value {
        Plain::Float(share) if unit == "%" && *share <= 1.0 => {
            return format!("write `{:.0}%`", share * 100.0);
        }
        Plain::Integer(number) => Some(*number),
        Plain::Text(text) => text.parse().ok(),
        _ => None,
    };
    match number {
        Some(bytes) if unit == "B" && bytes > 0 && bytes % 1024 == 0 => {
            format!("write `{}KiB`", bytes / 1024)
        }
        Some(number) => format!("write `{number}{unit}`"),
        None => format!("end it with a unit, as in `5{unit}`"),
    }
}

/// The word for what other proxies call otherwise.
fn synonym(written: &str, words: &[&'static str]) -> Option<&'static str> {
    let meant = match written.to_lowercase().replace('-', "_").as_str() {
        "roundrobin" | "rr" => "round_robin",
        "least_conn" | "leastconn" | "least_request" => "least_connections",
        "ip_hash" | "ring_hash" | "maglev" | "hash" => "consistent_hash",
        "weighted" => "weighted_round_robin",
        "failover" | "active_passive" | "first" => "priority",
        "power_of_two" | "power_of_two_choices" | "two_choices" => "p2c",
        "warning" => "warn",
        "off" | "never" | "disabled" => "none",
        "connection_error" | "connect_failure" | "refused" => "connect",
        _ => return None,
    };
    words.iter().find(|word| **word == meant).copied()
}

/// Why a form does not take a value, the least telling first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Rejection {
    WrongType,
    Unreadable,
    NoWord,
    OutOfRange,
    Bare(&'static str),
}

/// The value as one form has it; `read` when it came out of a variable.
fn take(value: &Plain, form: &'static Value, read: bool) -> Result<Value, Rejection> {
    if let Some(kind) = kind(form) {
        return match value {
            Plain::Text(text) => match kind.check(text) {
                Ok(()) => Ok(text.as_str().into()),
                Err(NoQuantity::Bare) => Err(Rejection::Bare(kind.unit())),
                Err(NoQuantity::TooLarge) => Err(Rejection::OutOfRange),
                Err(NoQuantity::Unreadable) => Err(Rejection::Unreadable),
            },
            Plain::Integer(_) | Plain::Float(_) => Err(Rejection::Bare(kind.unit())),
            Plain::Bool(_) | Plain::Null => Err(Rejection::WrongType),
        };
    }
    if let Some(words) = schema::words(form) {
        return match value {
            Plain::Text(text) if words.contains(&text.as_str()) => Ok(text.as_str().into()),
            Plain::Text(_) => Err(Rejection::NoWord),
            _ => Err(Rejection::WrongType),
        };
    }
    let is = form.get("type").and_then(Value::as_str).unwrap_or_default();
    match (is, value) {
        ("boolean", Plain::Bool(value)) => Ok((*value).into()),
        ("boolean", Plain::Text(text)) if read => text
            .parse::<bool>()
            .map(Value::from)
            .map_err(|_| Rejection::WrongType),
        ("integer", Plain::Integer(value)) => integer(*value, form),
        ("integer", Plain::Text(text)) if read => {
            integer(text.trim().parse().map_err(|_| Rejection::WrongType)?, form)
        }
        ("number", Plain::Integer(value)) => number(&value.to_string(), form),
        ("number", Plain::Float(value)) => number(&value.to_string(), form),
        ("number", Plain::Text(text)) if read => number(text.trim(), form),
        ("string", Plain::Text(text)) => Ok(text.as_str().into()),
        _ => Err(Rejection::WrongType),
    }
}

fn integer(value: i128, form: &'static Value) -> Result<Value, Rejection> {
    let value = i64::try_from(value).map_err(|_| Rejection::OutOfRange)?;
    let (min, max) = range(form);
    let inside = min.is_none_or(|min| value >= min) && max.is_none_or(|max| value <= max);
    inside.then(|| value.into()).ok_or(Rejection::OutOfRange)
}

fn number(text: &str, form: &'static Value) -> Result<Value, Rejection> {
    let value: f64 = text.parse().map_err(|_| Rejection::WrongType)?;
    let bound = |key| form.get(key).and_then(Value::as_f64);
    let inside = bound("minimum").is_none_or(|min| value >= min)
        && bound("maximum").is_none_or(|max| value <= max);
    let value = serde_json::Number::from_f64(value).filter(|_| inside);
    value.map(Value::Number).ok_or(Rejection::OutOfRange)
}

fn range(form: &'static Value) -> (Option<i64>, Option<i64>) {
    let bound = |key| form.get(key).and_then(Value::as_i64);
    (bound("minimum"), bound("maximum"))
}

fn kind(form: &'static Value) -> Option<&'static Kind> {
    Kind::named(form.get(KIND_KEY)?.as_str()?)
}

/// What the forms take, in words.
pub(super) fn expected(forms: &[&'static Value]) -> String {
    let mut text = String::new();
    for (i, form) in forms.iter().enumerate() {
        if i > 0 {
            text.push_str(" or ");
        }
        text.push_str(&one(form));
    }
    text
}

fn one(form: &'static Value) -> String {
    if let Some(kind) = kind(form) {
        return kind.expected.to_owned();
    }
    if let Some(words) = schema::words(form) {
        let mut text = String::new();
        for (i, word) in words.iter().enumerate() {
            let separator = match i {
                0 => "",
                _ if i + 1 == words.len() => " or ",
                _ => ", ",
            };
            // Writing to a String cannot fail.
            if write!(text, "{separator}`{word}`").is_err() {
                break;
            }
        }
        return text;
    }
    match form.get("type").and_then(Value::as_str) {
        Some("array") => "a list".to_owned(),
        Some("boolean") => "`true` or `false`".to_owned(),
        Some("integer") => match range(form) {
            (Some(min), Some(max)) => format!("a whole number from {min} to {max}"),
            _ => "a whole number".to_owned(),
        },
        Some("number") => match range(form) {
            (Some(min), Some(max)) => format!("a number from {min} to {max}"),
            _ => "a number".to_owned(),
        },
        Some("object") => "a mapping (`key: value`)".to_owned(),
        _ => "a text".to_owned(),
    }
}
