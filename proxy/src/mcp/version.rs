//! A protocol revision.

use std::fmt;

/// A protocol revision: a date, so that revisions nobody knows yet still have an order.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Version(u32);

impl Version {
    /// HTTP+SSE, two endpoints.
    pub const V2024_11_05: Self = Self::on(2024, 11, 5);
    /// Streamable HTTP, batches.
    pub const V2025_03_26: Self = Self::on(2025, 3, 26);
    /// The version header, no batches.
    pub const V2025_06_18: Self = Self::on(2025, 6, 18);
    /// Streams that a server may close after an event id.
    pub const V2025_11_25: Self = Self::on(2025, 11, 25);
    /// Stateless.
    pub const V2026_07_28: Self = Self::on(2026, 7, 28);

    /// Reads `YYYY-MM-DD`; none for anything else.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() != "YYYY-MM-DD".len() {
            return None;
        }
        let mut number = 0;
        for (at, byte) in text.iter().enumerate() {
            match byte {
                b'-' if at == 4 || at == 7 => {}
                b'0'..=b'9' if at != 4 && at != 7 => number = number * 10 + u32::from(byte - b'0'),
                _ => return None,
            }
        }
        Some(Self(number))
    }

    /// The date as the number `YYYYMMDD`.
    pub(super) fn number(self) -> u32 {
        self.0
    }

    /// The version of a date as [`Version::number`] gives it; none above `9999-99-99`.
    pub(super) fn from_number(number: u32) -> Option<Self> {
        (number <= 99_999_999).then_some(Self(number))
    }

    const fn on(year: u32, month: u32, day: u32) -> Self {
        Self(year * 10_000 + month * 100 + day)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = (self.0 / 10_000, self.0 / 100 % 100, self.0 % 100);
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Era;
    use super::*;

    #[test]
    fn the_era_follows_the_date() {
        for (text, era) in [
            ("2024-10-07", Era::Legacy),
            ("2024-11-05", Era::Legacy),
            ("2025-03-26", Era::Legacy),
            ("2025-06-18", Era::Legacy),
            ("2025-11-25", Era::Legacy),
            ("2026-07-27", Era::Legacy),
            ("2026-07-28", Era::Modern),
            ("2027-01-01", Era::Modern),
            ("2026-7-28", Era::Legacy),
            ("2026-07-28 ", Era::Legacy),
            ("2026/07/28", Era::Legacy),
            ("DRAFT-2026", Era::Legacy),
            ("", Era::Legacy),
        ] {
            assert_eq!(Era::of(Version::parse(text.as_bytes())), era, "{text}");
        }
        assert_eq!(Era::of(None), Era::Legacy);
    }

    proptest! {
        #[test]
        fn a_parsed_version_prints_as_it_was(text in "[0-9]{4}-[0-9]{2}-[0-9]{2}") {
            let version = Version::parse(text.as_bytes()).unwrap();
            prop_assert_eq!(version.to_string(), text);
            prop_assert_eq!(Version::from_number(version.number()), Some(version));
        }

        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
            Version::parse(&bytes);
        }
    }
}
