//! What a peer speaks.

use crate::mcp::{Era, Version};

/// Which eras and revisions of MCP a peer serves, as far as that is known.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Eras {
    legacy: Serves,
    modern: Serves,
    /// By position in `VERSIONS`.
    versions: u8,
}

/// Whether a peer serves an era.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Serves {
    /// It refused.
    No,
    /// Nobody has asked, or it would not say.
    #[default]
    Unknown,
    /// It does.
    Yes,
}

impl Eras {
    /// Whether the era is served.
    pub fn serves(self, era: Era) -> Serves {
        match era {
            Era::Legacy => self.legacy,
            Era::Modern => self.modern,
        }
    }

    /// The same, but with the word on one era.
    #[must_use]
    pub fn with(self, era: Era, serves: Serves) -> Self {
        let mut with = match era {
            Era::Legacy => Self {
                legacy: serves,
                ..self
            },
            Era::Modern => Self {
                modern: serves,
                ..self
            },
        };
        if serves != Serves::Yes {
            let of_the_other = |(_, version): &(u8, Version)| Era::of(Some(*version)) != era;
            let bits = numbered().filter(of_the_other).map(|(bit, _)| 1 << bit);
            with.versions &= bits.fold(0, |all, bit: u8| all | bit);
        }
        with
    }

    /// The same, with a revision that is served, and its era with it.
    #[must_use]
    pub fn and(self, version: Version) -> Self {
        let mut and = self.with(Era::of(Some(version)), Serves::Yes);
        let known = numbered().find(|(_, known)| *known == version);
        and.versions |= known.map_or(0, |(bit, _)| 1 << bit);
        and
    }

    /// The revisions that are known to be served, oldest first.
    pub fn versions(self) -> impl Iterator<Item = Version> {
        numbered()
            .filter(move |(bit, _)| self.versions >> bit & 1 == 1)
            .map(|(_, version)| version)
    }

    pub(super) fn pack(self) -> u32 {
        let bits = |serves| match serves {
            Serves::Unknown => 0,
            Serves::No => 1,
            Serves::Yes => 2,
        };
        bits(self.legacy) | bits(self.modern) << 2 | u32::from(self.versions) << 8
    }

    pub(super) fn unpack(packed: u32) -> Self {
        let serves = |bits: u32| match bits & 3 {
            1 => Serves::No,
            2 => Serves::Yes,
            _ => Serves::Unknown,
        };
        let [_, versions, _, _] = packed.to_le_bytes();
        Self {
            legacy: serves(packed),
            modern: serves(packed >> 2),
            versions,
        }
    }
}

fn numbered() -> impl Iterator<Item = (u8, Version)> {
    (0..).zip(VERSIONS)
}

const VERSIONS: [Version; 5] = [
    Version::V2024_11_05,
    Version::V2025_03_26,
    Version::V2025_06_18,
    Version::V2025_11_25,
    Version::V2026_07_28,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_comes_back() {
        let all = [Serves::No, Serves::Unknown, Serves::Yes];
        for (legacy, modern) in all.iter().flat_map(|one| all.map(|two| (*one, two))) {
            let eras = Eras::default()
                .with(Era::Legacy, legacy)
                .with(Era::Modern, modern);
            assert_eq!(Eras::unpack(eras.pack()), eras);
            for version in VERSIONS {
                let eras = eras.and(version);
                assert_eq!(Eras::unpack(eras.pack()), eras);
                assert_eq!(eras.serves(Era::of(Some(version))), Serves::Yes);
                assert_eq!(eras.versions().collect::<Vec<_>>(), [version]);
            }
        }
        assert_eq!(Eras::default().pack(), 0);
    }

    #[test]
    fn an_era_that_is_refused_takes_its_revisions_along() {
        let both = Eras::default()
            .and(Version::V2025_06_18)
            .and(Version::V2026_07_28);
        let modern = both.with(Era::Legacy, Serves::No);
        assert_eq!(
            modern.versions().collect::<Vec<_>>(),
            [Version::V2026_07_28]
        );
        let legacy = both.with(Era::Modern, Serves::No);
        assert_eq!(
            legacy.versions().collect::<Vec<_>>(),
            [Version::V2025_06_18]
        );
    }

    #[test]
    fn a_revision_nobody_knows_yet_tells_its_era() {
        let later = Version::parse(b"2027-01-01").unwrap();
        let eras = Eras::default().and(later);
        assert_eq!(eras.serves(Era::Modern), Serves::Yes);
        assert_eq!(eras.versions().count(), 0);
    }
}
