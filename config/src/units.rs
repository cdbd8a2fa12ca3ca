//! Durations, sizes and percentages as they are written in the file.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// A duration: `250ms`, `5s`, `1m30s`, at most 365 days.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Span(pub(crate) Duration);

/// A duration, or `none` for no bound.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Bound(pub(crate) Option<Duration>);

/// A number of bytes: `512B`, `256KiB`, `1MiB`, `2GiB`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Size(pub(crate) u32);

/// A percentage: `20%`, at most 1000.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Percent(pub(crate) u32);

/// Why a text is no quantity.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum NoQuantity {
    /// A number without its unit.
    Bare,
    /// Larger than can be.
    TooLarge,
    /// Anything else.
    Unreadable,
}

impl Span {
    pub(crate) fn parse(text: &str) -> Result<Self, NoQuantity> {
        let mut total = Duration::ZERO;
        let mut last = u64::MAX;
        let mut rest = text;
        while !rest.is_empty() {
            let (number, unit, after) = quantity(rest)?;
            let micros: u64 = match unit {
                "us" => 1,
                "ms" => 1_000,
                "s" => 1_000_000,
                "m" => 60_000_000,
                "h" => 3_600_000_000,
                "d" => 86_400_000_000,
                "" if after.is_empty() => return Err(NoQuantity::Bare),
                _ => return Err(NoQuantity::Unreadable),
            };
            // `1s5m` is a slip of the hand, not a duration.
            if micros >= last {
                return Err(NoQuantity::Unreadable);
            }
            last = micros;
            let part = number.checked_mul(micros).ok_or(NoQuantity::TooLarge)?;
            total = total.saturating_add(Duration::from_micros(part));
            rest = after;
        }
        if text.is_empty() {
            Err(NoQuantity::Unreadable)
        } else if total > LONGEST {
            Err(NoQuantity::TooLarge)
        } else {
            Ok(Self(total))
        }
    }
}

impl Bound {
    pub(crate) fn parse(text: &str) -> Result<Self, NoQuantity> {
        match text {
            "none" => Ok(Self(None)),
            _ => Span::parse(text).map(|span| Self(Some(span.0))),
        }
    }
}

impl Size {
    pub(crate) fn parse(text: &str) -> Result<Self, NoQuantity> {
        let (number, unit, rest) = quantity(text)?;
        let shift = match (unit, rest) {
            ("B", "") => 0,
            ("KiB", "") => 10,
            ("MiB", "") => 20,
            ("GiB", "") => 30,
            ("", "") => return Err(NoQuantity::Bare),
            _ => return Err(NoQuantity::Unreadable),
        };
        let bytes = number.checked_mul(1 << shift).ok_or(NoQuantity::TooLarge)?;
        u32::try_from(bytes)
            .map(Self)
            .map_err(|_| NoQuantity::TooLarge)
    }

    /// Bytes.
    pub(crate) fn bytes(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl Percent {
    pub(crate) fn parse(text: &str) -> Result<Self, NoQuantity> {
        let Some(digits) = text.strip_suffix('%') else {
            return Err(match text.parse::<f64>() {
                Ok(_) => NoQuantity::Bare,
                Err(_) => NoQuantity::Unreadable,
            });
        };
        let (number, "", "") = quantity(digits)? else {
            return Err(NoQuantity::Unreadable);
        };
        match u32::try_from(number) {
            Ok(percent) if percent <= 1000 => Ok(Self(percent)),
            _ => Err(NoQuantity::TooLarge),
        }
    }
}

/// A whole number, the letters behind it, and the rest.
fn quantity(text: &str) -> Result<(u64, &str, &str), NoQuantity> {
    let (digits, rest) = split(text, |c| c.is_ascii_digit());
    let (unit, rest) = split(rest, |c| c.is_ascii_alphabetic());
    if digits.is_empty() {
        return Err(NoQuantity::Unreadable);
    }
    let number = digits.parse().map_err(|_| NoQuantity::TooLarge)?;
    Ok((number, unit, rest))
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !belongs(c)).unwrap_or(text.len());
    text.split_at(end)
}

impl fmt::Display for NoQuantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bare => "no unit",
            Self::TooLarge => "too large",
            Self::Unreadable => "not readable",
        })
    }
}

/// A kind of quantity by the name that the schema calls it: its pattern, and how messages say it.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) expected: &'static str,
    pub(crate) most: &'static str,
    pattern: &'static str,
    parse: fn(&str) -> Result<(), NoQuantity>,
}

impl Kind {
    /// The kind that a schema names under [`KIND_KEY`].
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.name == name)
    }

    pub(crate) fn check(&self, text: &str) -> Result<(), NoQuantity> {
        (self.parse)(text)
    }

    /// The unit to suggest for a number without one.
    pub(crate) fn unit(&self) -> &'static str {
        match self.name {
            "percentage" => "%",
            "size" => "B",
            _ => "s",
        }
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Our own keyword: JSON Schema's `format: duration` is that of ISO 8601.
pub(crate) const KIND_KEY: &str = "x-kind";

const KINDS: [Kind; 4] = [
    Kind {
        name: "duration",
        expected: "a duration such as `5s`, `250ms` or `1m30s`",
        most: "365 days",
        pattern: r"^(\d+(us|ms|s|m|h|d))+$|\$\{",
        parse: |text| Span::parse(text).map(drop),
    },
    Kind {
        name: "duration or none",
        expected: "a duration such as `5s`, or `none`",
        most: "365 days",
        pattern: r"^((\d+(us|ms|s|m|h|d))+|none)$|\$\{",
        parse: |text| Bound::parse(text).map(drop),
    },
    Kind {
        name: "percentage",
        expected: "a percentage such as `20%`",
        most: "1000%",
        pattern: r"^\d+%$|\$\{",
        parse: |text| Percent::parse(text).map(drop),
    },
    Kind {
        name: "size",
        expected: "a size such as `512B`, `256KiB` or `1MiB`",
        most: "3GiB",
        pattern: r"^\d+(B|KiB|MiB|GiB)$|\$\{",
        parse: |text| Size::parse(text).map(drop),
    },
];

/// Beyond a year nobody means a timeout; and sums of durations cannot overflow.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

/// Makes a quantity readable by serde and known to the schema.
macro_rules! quantity {
    ($type:ty, $kind:literal) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                Self::parse(&text).map_err(D::Error::custom)
            }
        }

        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                $kind.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let pattern = Kind::named($kind).map_or("", |kind| kind.pattern);
                json_schema!({ "type": "string", "pattern": pattern, KIND_KEY: $kind })
            }
        }
    };
}

quantity!(Span, "duration");
quantity!(Bound, "duration or none");
quantity!(Percent, "percentage");
quantity!(Size, "size");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_units_in_falling_order() {
        for (text, expected) in [
            ("5s", Ok(5_000_000)),
            ("250ms", Ok(250_000)),
            ("10us", Ok(10)),
            ("1m30s", Ok(90_000_000)),
            ("2h", Ok(7_200_000_000)),
            ("365d", Ok(31_536_000_000_000)),
            ("0s", Ok(0)),
            ("5", Err(NoQuantity::Bare)),
            ("1m30", Err(NoQuantity::Bare)),
            ("366d", Err(NoQuantity::TooLarge)),
            ("99999999999999999999s", Err(NoQuantity::TooLarge)),
            ("9999999999999d", Err(NoQuantity::TooLarge)),
            ("30s1m", Err(NoQuantity::Unreadable)),
            ("1s1s", Err(NoQuantity::Unreadable)),
            ("1.5s", Err(NoQuantity::Unreadable)),
            ("5 s", Err(NoQuantity::Unreadable)),
            ("-5s", Err(NoQuantity::Unreadable)),
            ("5sec", Err(NoQuantity::Unreadable)),
            ("s", Err(NoQuantity::Unreadable)),
            ("", Err(NoQuantity::Unreadable)),
        ] {
            let micros = Span::parse(text).map(|span| span.0.as_micros());
            assert_eq!(micros, expected, "{text}");
        }
    }

    #[test]
    fn a_size_has_a_binary_unit() {
        for (text, expected) in [
            ("0B", Ok(0)),
            ("256KiB", Ok(262_144)),
            ("1MiB", Ok(1_048_576)),
            ("3GiB", Ok(3_221_225_472)),
            ("4GiB", Err(NoQuantity::TooLarge)),
            ("64", Err(NoQuantity::Bare)),
            ("64KB", Err(NoQuantity::Unreadable)),
            ("64k", Err(NoQuantity::Unreadable)),
            ("1KiB1B", Err(NoQuantity::Unreadable)),
        ] {
            assert_eq!(Size::parse(text).map(|size| size.0), expected, "{text}");
        }
    }

    #[test]
    fn a_percentage_has_its_sign() {
        for (text, expected) in [
            ("20%", Ok(20)),
            ("1000%", Ok(1000)),
            ("1001%", Err(NoQuantity::TooLarge)),
            ("20", Err(NoQuantity::Bare)),
            ("0.2", Err(NoQuantity::Bare)),
            ("2.5%", Err(NoQuantity::Unreadable)),
            ("%", Err(NoQuantity::Unreadable)),
        ] {
            assert_eq!(Percent::parse(text).map(|p| p.0), expected, "{text}");
        }
    }

    #[test]
    fn none_is_a_bound_and_no_duration() {
        assert_eq!(Bound::parse("none"), Ok(Bound(None)));
        assert_eq!(Span::parse("none"), Err(NoQuantity::Unreadable));
    }
}
