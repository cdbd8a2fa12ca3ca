//! Who is killed when.

use std::time::Duration;

/// Something that happens to the servers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Deed {
    /// The one that serves is killed.
    Kill,
    /// All that are dead are started again.
    Revive,
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
/// One is killed. In percent of the round.
const FIRST: [(u32, Deed); 2] = [(25, Deed::Kill), (50, Deed::Revive)];
/// One is killed, then the one that took over.
const SECOND: [(u32, Deed); 3] = [(20, Deed::Kill), (35, Deed::Kill), (55, Deed::Revive)];

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
        assert_eq!(all(4), [(1, Deed::Kill), (2, Deed::Revive)]);
    }

    #[test]
    fn rounds_alternate() {
        let expected = [
            (3, Deed::Kill),
            (7, Deed::Revive),
            (18, Deed::Kill),
            (20, Deed::Kill),
            (23, Deed::Revive),
            (33, Deed::Kill),
        ];
        assert_eq!(all(35), expected);
    }

    #[test]
    fn without_an_end_it_goes_on() {
        assert_eq!(next(500, None).map(|(at, _)| at.as_secs()), Some(3_003));
    }
}
