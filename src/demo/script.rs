//! Who is killed when.

use std::time::Duration;

/// Something that happens to a server; servers are counted from the most preferred.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Deed {
    /// It is killed.
    Kill(usize),
    /// It is started again.
    Revive(usize),
}

/// What happens after `done` deeds, and when after the beginning; none when a demonstration of
/// this `length` has nothing left to show.
pub(super) fn next(done: usize, length: Option<Duration>) -> Option<(Duration, Deed)> {
    if let Some(length) = length.filter(|length| *length < ROUND) {
        // Too short for a whole round: one kill, and some time on both sides of it.
        let (percent, deed) = *FIRST.get(done)?;
        return Some((length * percent / 100, deed));
    }
    let rounds = [&FIRST[..], &SECOND[..]].into_iter().cycle();
    let mut left = done;
    for (round, deeds) in (0_u32..).zip(rounds) {
        if let Some((percent, deed)) = deeds.get(left) {
            let at = ROUND * round + ROUND * *percent / 100;
            return length
                .is_none_or(|length| at < length)
                .then_some((at, *deed));
        }
        left -= deeds.len();
    }
    None
}

/// One round: long enough to see traffic return.
const ROUND: Duration = Duration::from_secs(15);
/// The best server is killed. In percent of the round.
const FIRST: [(u32, Deed); 2] = [(25, Deed::Kill(0)), (50, Deed::Revive(0))];
/// The two best are killed, one after the other.
const SECOND: [(u32, Deed); 4] = [
    (20, Deed::Kill(0)),
    (35, Deed::Kill(1)),
    (55, Deed::Revive(0)),
    (60, Deed::Revive(1)),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn all(length: u64) -> Vec<(u64, Deed)> {
        let length = Some(Duration::from_secs(length));
        let deeds = (0..).map_while(|done| next(done, length));
        deeds.map(|(at, deed)| (at.as_secs(), deed)).collect()
    }

    #[test]
    fn a_short_demonstration_has_one_kill_and_one_revival() {
        assert_eq!(all(4), [(1, Deed::Kill(0)), (2, Deed::Revive(0))]);
    }

    #[test]
    fn rounds_alternate() {
        let expected = [
            (3, Deed::Kill(0)),
            (7, Deed::Revive(0)),
            (18, Deed::Kill(0)),
            (20, Deed::Kill(1)),
            (23, Deed::Revive(0)),
            (24, Deed::Revive(1)),
            (33, Deed::Kill(0)),
        ];
        assert_eq!(all(35), expected);
    }

    #[test]
    fn without_an_end_it_goes_on() {
        assert_eq!(next(600, None).map(|(at, _)| at.as_secs()), Some(3_003));
    }
}
