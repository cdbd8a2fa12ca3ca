//! The id of a JSON-RPC request.

use std::borrow::Cow;

/// The id of a JSON-RPC request: a string or a number, kept as the JSON text it came as, so that
/// it is echoed byte for byte.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Id<'a>(Cow<'a, str>);

impl<'a> Id<'a> {
    /// Takes a piece of valid JSON; none unless it is a string or a number.
    pub(super) fn from_json(raw: &'a str) -> Option<Self> {
        matches!(raw.as_bytes().first(), Some(b'"' | b'-' | b'0'..=b'9'))
            .then_some(Self(Cow::Borrowed(raw)))
    }

    /// The JSON text.
    pub fn json(&self) -> &str {
        &self.0
    }

    /// The id without its body.
    pub fn into_owned(self) -> Id<'static> {
        Id(Cow::Owned(self.0.into_owned()))
    }

    /// Whether both name the same request, however they are written: a peer may echo `"\u0061"`
    /// as `"a"`, and `1` as `1.0`.
    pub fn names_same(&self, other: &Id<'_>) -> bool {
        if self.0 == other.0 {
            return true;
        }
        match (self.value(), other.value()) {
            (Some(mine), Some(theirs)) => mine == theirs,
            _ => false,
        }
    }

    fn value(&self) -> Option<Value> {
        let json = self.json();
        if json.starts_with('"') {
            serde_json::from_str(json).ok().map(Value::Text)
        } else if let Ok(whole) = json.parse() {
            Some(Value::Whole(whole))
        } else {
            let number: f64 = serde_json::from_str(json).ok()?;
            let whole = format!("{number:.0}").parse().ok()?;
            // A fraction that rounds to a whole number is not that number.
            (number.fract() == 0.0).then_some(Value::Whole(whole))
        }
    }
}

#[derive(PartialEq)]
enum Value {
    Text(String),
    Whole(i128),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_strings_and_numbers() {
        for raw in ["\"a\"", "\"\"", "0", "-1", "1.5", "1e3"] {
            assert_eq!(Id::from_json(raw).unwrap().json(), raw);
        }
        for raw in ["", "null", "true", "{}", "[1]"] {
            assert_eq!(Id::from_json(raw), None, "{raw}");
        }
    }

    #[test]
    fn ids_are_compared_by_value() {
        for (one, other, same) in [
            ("1", "1", true),
            ("1", "1.0", true),
            ("100", "1e2", true),
            ("1", "\"1\"", false),
            ("1", "2", false),
            ("1.5", "1", false),
            ("0.4", "0", false),
            ("\"a\"", "\"\\u0061\"", true),
            ("\"a\"", "\"b\"", false),
            ("9007199254740993", "9007199254740992", false),
            ("1e999", "1", false),
        ] {
            let (one_id, other_id) = (Id::from_json(one).unwrap(), Id::from_json(other).unwrap());
            assert_eq!(one_id.names_same(&other_id), same, "{one} {other}");
            assert_eq!(other_id.names_same(&one_id), same, "{other} {one}");
        }
    }
}
