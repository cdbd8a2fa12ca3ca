//! From closed to open and back.

use super::super::{Admission, Breaker, BreakerPolicy, Phase, Ticket, Transition, Trip};
use super::{NEUTRAL, OK, at, overload, policy};
use crate::classify::Verdict;
use crate::time::Time;

/// What to do to a breaker, and what should come of it. Without jitter.
#[derive(Clone, Copy)]
enum Event {
    /// Closed: a trip, and until when it is open then.
    Opens(u64),
    /// A trip that must change nothing.
    TooLate,
    /// A probe is asked for: refused, admitted, half-opening, or found expired until then.
    Refused,
    Admitted,
    HalfOpens,
    Expired(u64),
    /// The oldest probe ends: nothing, closed, or open until then.
    Ends(Verdict),
    Closes,
    Reopens(Verdict, u64),
    /// A health check passes: nothing changes, it half-opens, or (tier not in use) it closes.
    Check,
    CheckHalfOpens,
    IdleCheck,
    IdleCheckHalfOpens,
    IdleCheckCloses,
}

use Event::*;

fn run(policy: &BreakerPolicy, rows: &[(u64, Event)]) -> Breaker {
    let mut breaker = Breaker::new();
    let mut probes: Vec<Ticket> = Vec::new();
    let opened = |until, why| {
        Some(Transition::Opened {
            until: at(until),
            why,
        })
    };
    for (row, (millis, event)) in rows.iter().enumerate() {
        let now = at(*millis);
        let epoch = breaker.epoch();
        match event {
            Opens(until) => {
                let got = breaker.trip(Trip::Connect, epoch, policy, now, 0);
                assert_eq!(got, opened(*until, Trip::Connect), "row {row}");
            }
            TooLate => {
                let got = breaker.trip(Trip::Connect, epoch.wrapping_sub(1), policy, now, 0);
                assert_eq!(got, None, "row {row}");
            }
            Refused => {
                let got = breaker.admit(policy, now, 0);
                assert_eq!(got, Admission::Refused, "row {row}");
            }
            Admitted => match breaker.admit(policy, now, 0) {
                Admission::Admitted(ticket) => probes.push(ticket),
                other => panic!("row {row}: {other:?}"),
            },
            HalfOpens => match breaker.admit(policy, now, 0) {
                Admission::HalfOpened(ticket) => probes.push(ticket),
                other => panic!("row {row}: {other:?}"),
            },
            Expired(until) => {
                let why = Trip::Lease;
                let until = at(*until);
                let expected = Admission::Reopened(Transition::Opened { until, why });
                assert_eq!(breaker.admit(policy, now, 0), expected, "row {row}");
            }
            Ends(verdict) => {
                let got = breaker.settle(probes.remove(0), *verdict, policy, now, 0);
                assert_eq!(got, None, "row {row}");
            }
            Closes => {
                let got = breaker.settle(probes.remove(0), Verdict::Succeed, policy, now, 0);
                assert_eq!(got, Some(Transition::Closed), "row {row}");
            }
            Reopens(verdict, until) => {
                let got = breaker.settle(probes.remove(0), *verdict, policy, now, 0);
                assert_eq!(got, opened(*until, Trip::Probe), "row {row}");
            }
            Check => assert_eq!(breaker.check_passed(now), None, "row {row}"),
            CheckHalfOpens => {
                let got = breaker.check_passed(now);
                assert_eq!(got, Some(Transition::HalfOpened), "row {row}");
            }
            IdleCheck => {
                assert_eq!(breaker.idle_check_passed(policy, now), None, "row {row}");
            }
            IdleCheckHalfOpens => {
                let got = breaker.idle_check_passed(policy, now);
                assert_eq!(got, Some(Transition::HalfOpened), "row {row}");
            }
            IdleCheckCloses => {
                let got = breaker.idle_check_passed(policy, now);
                assert_eq!(got, Some(Transition::Closed), "row {row}");
            }
        }
    }
    breaker
}

#[test]
fn it_opens_tries_and_closes() {
    let rows = [
        (0, Refused),
        (1_000, Opens(3_000)),
        (2_999, Refused),
        (3_000, HalfOpens),
        (3_001, Refused),
        (3_100, Ends(OK)),
        (3_100, Admitted),
        (3_200, Closes),
        (3_300, Refused),
    ];
    assert_eq!(run(&policy(), &rows).phase(), Phase::Closed);
}

#[test]
fn each_failed_probe_doubles_the_open_time_up_to_its_ceiling() {
    let rows = [
        (0, Opens(2_000)),
        (2_000, HalfOpens),
        (2_100, Reopens(Verdict::Fail, 6_100)),
        (6_100, HalfOpens),
        (6_100, Reopens(Verdict::ConnectFail, 14_100)),
        (14_100, HalfOpens),
        (14_100, Reopens(Verdict::RateFail, 30_100)),
        (30_100, HalfOpens),
        (30_100, Ends(OK)),
        (30_100, Admitted),
        (30_100, Reopens(overload(), 62_100)),
        (62_100, HalfOpens),
        (62_100, Reopens(Verdict::Fail, 122_100)),
        (122_100, HalfOpens),
        (122_100, Reopens(Verdict::Fail, 182_100)),
    ];
    run(&policy(), &rows);
}

#[test]
fn openings_are_forgotten_one_a_minute_while_closed() {
    let twice = [
        (0, Opens(2_000)),
        (2_000, HalfOpens),
        (2_000, Reopens(Verdict::Fail, 6_000)),
        (6_000, HalfOpens),
        (6_000, Ends(OK)),
        (6_000, Admitted),
        (6_000, Closes),
    ];
    for (millis, until) in [
        (6_001, 14_001),
        (65_999, 73_999),
        (66_000, 70_000),
        (125_999, 129_999),
        (126_000, 128_000),
        (999_000, 1_001_000),
    ] {
        let mut rows: Vec<(u64, Event)> = Vec::from(twice);
        rows.push((millis, Opens(until)));
        run(&policy(), &rows);
    }
}

#[test]
fn a_probe_without_a_verdict_frees_its_slot() {
    let rows = [
        (0, Opens(2_000)),
        (2_000, HalfOpens),
        (2_000, Refused),
        (2_500, Ends(NEUTRAL)),
        (2_500, Admitted),
        (2_500, Refused),
        (2_600, Ends(OK)),
        (2_600, Admitted),
        (2_600, Ends(NEUTRAL)),
        (2_600, Admitted),
        (2_700, Closes),
    ];
    run(&policy(), &rows);
}

#[test]
fn a_probe_that_takes_too_long_counts_as_failed() {
    let rows = [
        (0, Opens(2_000)),
        (2_000, HalfOpens),
        (31_999, Refused),
        (32_000, Expired(36_000)),
        // Its verdict comes too late to matter.
        (33_000, Ends(OK)),
        (35_999, Refused),
        (36_000, HalfOpens),
        (36_000, Refused),
    ];
    run(&policy(), &rows);
}

#[test]
fn several_probes_may_run_when_allowed() {
    let policy = BreakerPolicy {
        half_open_probes: 2,
        success_threshold: 3,
        ..policy()
    };
    let rows = [
        (0, Opens(2_000)),
        (2_000, HalfOpens),
        (2_000, Admitted),
        (2_000, Refused),
        (2_100, Ends(OK)),
        (2_100, Admitted),
        (2_100, Refused),
        (2_200, Ends(OK)),
        (2_300, Closes),
    ];
    run(&policy, &rows);
    let rows = [
        (0, Opens(2_000)),
        (2_000, HalfOpens),
        (2_000, Admitted),
        (2_100, Reopens(Verdict::Fail, 6_100)),
        // The other probe was of the state that has passed.
        (2_200, Ends(OK)),
        (6_100, HalfOpens),
        (6_100, Admitted),
        (6_100, Refused),
    ];
    run(&policy, &rows);
}

#[test]
fn a_passed_check_lets_probes_through_early_and_never_closes() {
    let rows = [
        (0, Check),
        (0, Opens(2_000)),
        (500, CheckHalfOpens),
        (500, Check),
        (500, Check),
        (500, Admitted),
        (500, Check),
        (500, Refused),
        (600, Reopens(Verdict::Fail, 4_600)),
    ];
    run(&policy(), &rows);
}

#[test]
fn in_an_idle_tier_checks_are_the_probes() {
    let rows = [
        (0, IdleCheck),
        (0, Opens(2_000)),
        (500, IdleCheckHalfOpens),
        (600, IdleCheck),
        (700, IdleCheckCloses),
        (800, IdleCheck),
    ];
    run(&policy(), &rows);
}

#[test]
fn a_trip_of_a_passed_epoch_changes_nothing() {
    let rows = [
        (0, Opens(2_000)),
        (2_000, HalfOpens),
        (2_000, TooLate),
        (2_000, Ends(OK)),
        (2_000, Admitted),
        (2_000, Closes),
        (2_000, TooLate),
    ];
    let mut breaker = run(&policy(), &rows);
    let epoch = breaker.epoch();
    assert!(
        breaker
            .trip(Trip::Rate, epoch, &policy(), at(1), 0)
            .is_some()
    );
    // Open already.
    let epoch = breaker.epoch();
    assert_eq!(breaker.trip(Trip::Rate, epoch, &policy(), at(1), 0), None);
}

#[test]
fn a_verdict_settles_once() {
    let mut breaker = run(&policy(), &[(0, Opens(2_000))]);
    let Admission::HalfOpened(ticket) = breaker.admit(&policy(), at(2_000), 0) else {
        panic!("not admitted");
    };
    for _ in 0..5 {
        assert_eq!(breaker.settle(ticket, OK, &policy(), at(2_000), 0), None);
    }
    assert_eq!(breaker.phase(), Phase::HalfOpen);
}

#[test]
fn a_released_probe_may_be_followed_at_once() {
    let mut breaker = run(&policy(), &[(0, Opens(2_000))]);
    let Admission::HalfOpened(ticket) = breaker.admit(&policy(), at(2_000), 0) else {
        panic!("not admitted");
    };
    assert_eq!(breaker.due(&policy()), Some(at(32_000)));
    // Another's ticket frees nothing.
    let (epoch, probe) = (ticket.epoch, Some(9));
    breaker.release(Ticket { epoch, probe });
    breaker.release(Ticket { epoch: 0, ..ticket });
    assert_eq!(breaker.due(&policy()), Some(at(32_000)));
    breaker.release(ticket);
    assert_eq!(breaker.due(&policy()), Some(at(2_000)));
}

#[test]
fn forgotten_probes_hold_no_slot() {
    let mut breaker = run(&policy(), &[(0, Opens(2_000)), (2_000, HalfOpens)]);
    breaker.forget_probes();
    let got = breaker.admit(&policy(), at(99_000), 0);
    assert!(matches!(got, Admission::Admitted(_)), "{got:?}");
}

#[test]
fn it_says_when_it_would_admit_a_probe() {
    let policy = policy();
    let due = |rows: &[(u64, Event)]| run(&policy, rows).due(&policy);
    assert_eq!(due(&[]), None);
    assert_eq!(due(&[(0, Opens(2_000))]), Some(at(2_000)));
    let rows = [(0, Opens(2_000)), (2_500, HalfOpens)];
    assert_eq!(due(&rows), Some(at(32_500)));
    let rows = [(0, Opens(2_000)), (2_500, HalfOpens), (2_700, Ends(OK))];
    assert_eq!(due(&rows), Some(at(2_700)));
}

#[test]
fn jitter_adds_up_to_half() {
    for (entropy, until) in [(0, 2_000), (1 << 63, 2_500), (u64::MAX, 3_000)] {
        let mut breaker = Breaker::new();
        let got = breaker.trip(Trip::Rate, 0, &policy(), Time::ZERO, entropy);
        let (until, why) = (at(until), Trip::Rate);
        assert_eq!(got, Some(Transition::Opened { until, why }), "{entropy}");
    }
}

#[test]
fn a_clock_that_steps_back_opens_nothing_early() {
    let rows = [
        (10_000, Opens(12_000)),
        (1_000, Refused),
        (12_000, HalfOpens),
        (5_000, Refused),
        (5_000, Ends(OK)),
        (4_000, Admitted),
    ];
    run(&policy(), &rows);
}
