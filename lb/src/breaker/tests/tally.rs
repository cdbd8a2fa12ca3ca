//! What is counted, and when it trips.

use std::time::Duration;

use super::super::{BreakerPolicy, Tally, Trip};
use super::{NEUTRAL, OK, at, overload, policy};
use crate::classify::Verdict;

/// Rows of (millisecond, how often, verdict, what the last one trips).
fn count(policy: &BreakerPolicy, rows: &[(u64, u32, Verdict, Option<Trip>)]) -> Tally {
    let tally = Tally::new();
    for (row, (millis, times, verdict, trip)) in rows.iter().enumerate() {
        for time in 1..=*times {
            let got = tally.record(*verdict, policy, at(*millis));
            let expected = if time == *times { *trip } else { None };
            assert_eq!(got, expected, "row {row}, time {time}");
        }
    }
    tally
}

const FAIL: Verdict = Verdict::Fail;
const CONNECT: Verdict = Verdict::ConnectFail;
const RATE: Verdict = Verdict::RateFail;

#[test]
fn failures_in_a_row_trip() {
    count(&policy(), &[(0, 5, FAIL, Some(Trip::Consecutive))]);
    let rows = [
        (0, 4, FAIL, None),
        (1, 1, OK, None),
        (2, 5, FAIL, Some(Trip::Consecutive)),
    ];
    count(&policy(), &rows);
    // What says nothing of the peer changes nothing.
    let rows = [
        (0, 4, FAIL, None),
        (0, 9, NEUTRAL, None),
        (0, 9, overload(), None),
        (0, 4, RATE, None),
        (0, 2, CONNECT, None),
        (0, 1, FAIL, Some(Trip::Consecutive)),
    ];
    count(&policy(), &rows);
}

#[test]
fn connect_failures_in_a_row_trip_sooner() {
    count(&policy(), &[(0, 3, CONNECT, Some(Trip::Connect))]);
    // Anything that shows a connection starts them over.
    for between in [OK, FAIL, RATE] {
        let rows = [
            (0, 2, CONNECT, None),
            (0, 1, between, None),
            (0, 3, CONNECT, Some(Trip::Connect)),
        ];
        count(&policy(), &rows);
    }
    for between in [NEUTRAL, overload()] {
        let rows = [
            (0, 2, CONNECT, None),
            (0, 1, between, None),
            (0, 1, CONNECT, Some(Trip::Connect)),
        ];
        count(&policy(), &rows);
    }
}

#[test]
fn half_of_at_least_twenty_within_ten_seconds_trip() {
    let rows = [
        (0, 10, OK, None),
        (500, 9, RATE, None),
        (600, 1, RATE, Some(Trip::Rate)),
    ];
    count(&policy(), &rows);
    // Too few.
    count(
        &policy(),
        &[(0, 19, RATE, None), (0, 1, RATE, Some(Trip::Rate))],
    );
    // Too small a share.
    let rows = [
        (0, 11, OK, None),
        (500, 10, RATE, None),
        (500, 1, RATE, Some(Trip::Rate)),
    ];
    count(&policy(), &rows);
    // Other failures count with them.
    let rows = [
        (0, 10, RATE, None),
        (1, 1, OK, None),
        (1, 4, FAIL, None),
        (1, 1, OK, None),
        (1, 2, CONNECT, None),
        (1, 1, OK, None),
        (1, 1, RATE, Some(Trip::Rate)),
    ];
    count(&policy(), &rows);
}

#[test]
fn the_rate_forgets_what_is_older_than_its_window() {
    let rows = [(0, 19, RATE, None), (9_999, 1, RATE, Some(Trip::Rate))];
    count(&policy(), &rows);
    let rows = [
        (0, 19, RATE, None),
        (10_000, 19, RATE, None),
        (10_000, 1, RATE, Some(Trip::Rate)),
    ];
    count(&policy(), &rows);
    // The same bucket, one round later, holds nothing of the round before.
    let rows = [
        (500, 30, OK, None),
        (10_500, 19, RATE, None),
        (10_999, 1, RATE, Some(Trip::Rate)),
    ];
    count(&policy(), &rows);
    // Successes fade too.
    let rows = [
        (0, 100, OK, None),
        (5_000, 19, RATE, None),
        (10_000, 1, RATE, Some(Trip::Rate)),
    ];
    count(&policy(), &rows);
}

#[test]
fn the_rate_works_at_any_time_and_over_any_window() {
    for secs in [1, 3_600, 1_000_000] {
        let policy = BreakerPolicy {
            window: Duration::from_secs(secs),
            ..policy()
        };
        for start in [0, 9, 86_400_000, 4_000_000_000_000] {
            let step = secs * 95;
            let tally = Tally::new();
            for row in 0..19 {
                let now = at(start + row % 10 * step);
                assert_eq!(tally.record(RATE, &policy, now), None);
            }
            let last = tally.record(RATE, &policy, at(start + 9 * step));
            assert_eq!(last, Some(Trip::Rate), "{secs} s at {start} ms");
        }
    }
}

#[test]
fn a_reset_forgets_all() {
    let tally = count(
        &policy(),
        &[
            (0, 2, CONNECT, None),
            (0, 4, FAIL, None),
            (0, 13, RATE, None),
        ],
    );
    assert_eq!(tally.in_a_row(), 4);
    tally.reset();
    assert_eq!(tally.in_a_row(), 0);
    for verdict in [CONNECT, FAIL, RATE] {
        assert_eq!(tally.record(verdict, &policy(), at(1)), None);
    }
}

#[test]
fn a_copy_counts_on() {
    let old = count(&policy(), &[(0, 17, RATE, None), (0, 2, FAIL, None)]);
    let new = Tally::new();
    new.copy(&old);
    assert_eq!(new.in_a_row(), 2);
    assert_eq!(new.record(RATE, &policy(), at(1)), Some(Trip::Rate));
    let old = count(&policy(), &[(0, 2, CONNECT, None)]);
    new.copy(&old);
    assert_eq!(new.in_a_row(), 2);
    assert_eq!(new.record(CONNECT, &policy(), at(1)), Some(Trip::Connect));
}
