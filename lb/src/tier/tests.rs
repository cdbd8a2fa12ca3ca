//! Tables of (second, which tiers are available, the tier in use afterwards).

use super::*;

fn policy(mode: FailbackMode) -> FailbackPolicy {
    FailbackPolicy {
        mode,
        ..FailbackPolicy::default()
    }
}

/// Runs rows of (second, tiers up, tier in use after it); returns the machine.
fn run(mode: FailbackMode, rows: &[(u64, &str, usize)]) -> Active {
    let mut active = Active::new(rows[0].1.len());
    for (row, (second, tiers, expected)) in rows.iter().enumerate() {
        let up: Vec<bool> = tiers.chars().map(|tier| tier == '+').collect();
        let before = active.tier();
        let switch = active.update(&up, &policy(mode), Time::from_secs(*second), 0);
        assert_eq!(active.tier(), *expected, "row {row} at {second} s");
        assert_eq!(switch.is_some(), before != *expected, "row {row}");
    }
    active
}

#[test]
fn a_failed_tier_is_left_at_once_for_the_best_that_is_up() {
    run(
        FailbackMode::Auto,
        &[
            (1, "+++", 0),
            (2, "-++", 1),
            (3, "--+", 2),
            (4, "---", 2),
            (5, "---", 2),
        ],
    );
    run(FailbackMode::Auto, &[(1, "--+", 2)]);
    run(FailbackMode::Manual, &[(1, "-++", 1), (2, "+-+", 0)]);
}

#[test]
fn a_better_tier_is_returned_to_after_the_hold_down() {
    run(
        FailbackMode::Auto,
        &[(1, "-+", 1), (5, "++", 1), (34, "++", 1), (35, "++", 0)],
    );
    // A break starts it over.
    run(
        FailbackMode::Auto,
        &[
            (1, "-+", 1),
            (5, "++", 1),
            (34, "-+", 1),
            (35, "++", 1),
            (64, "++", 1),
            (65, "++", 0),
        ],
    );
}

#[test]
fn a_better_tier_is_taken_at_once_when_the_one_in_use_fails() {
    run(
        FailbackMode::Auto,
        &[(1, "-+", 1), (5, "++", 1), (6, "+-", 0), (7, "+-", 0)],
    );
}

#[test]
fn a_tier_in_use_is_kept_for_ten_seconds() {
    // Tier 0 has been up for long when the third is left for the second.
    let short = FailbackPolicy {
        hold: Duration::from_secs(1),
        ..FailbackPolicy::default()
    };
    let mut active = Active::new(2);
    let rows: [(u64, [bool; 2], usize); 5] = [
        (100, [false, true], 1),
        (101, [true, true], 1),
        (102, [true, true], 1),
        (109, [true, true], 1),
        (110, [true, true], 0),
    ];
    for (second, up, expected) in rows {
        let _ = active.update(&up, &short, Time::from_secs(second), 0);
        assert_eq!(active.tier(), expected, "at {second} s");
    }
}

#[test]
fn a_return_that_did_not_last_doubles_the_hold_down() {
    let rows = [
        (0, "-+", 1),
        (1, "++", 1),
        (31, "++", 0),
        (40, "-+", 1),
        (50, "++", 1),
        (109, "++", 1),
        (110, "++", 0),
        (200, "-+", 1),
        (300, "++", 1),
        (419, "++", 1),
        (420, "++", 0),
    ];
    run(FailbackMode::Auto, &rows);
}

#[test]
fn a_return_that_lasted_takes_a_doubling_back() {
    let rows = [
        (0, "-+", 1),
        (1, "++", 1),
        (31, "++", 0),
        (40, "-+", 1),
        (50, "++", 1),
        (110, "++", 0),
        // 599 seconds are not ten minutes: doubled again.
        (709, "-+", 1),
        (1_000, "++", 1),
        (1_119, "++", 1),
        (1_120, "++", 0),
        // Twice ten minutes: two doublings gone.
        (2_320, "-+", 1),
        (2_400, "++", 1),
        (2_429, "++", 1),
        (2_430, "++", 0),
    ];
    run(FailbackMode::Auto, &rows);
}

#[test]
fn the_hold_down_ends_its_growth_at_ten_minutes() {
    let mut rows = vec![(0, "-+", 1)];
    let mut second = 0;
    for hold in [30, 60, 120, 240, 480, 600, 600, 600] {
        second += 1;
        rows.push((second, "++", 1));
        rows.push((second + hold - 1, "++", 1));
        second += hold;
        rows.push((second, "++", 0));
        second += 1;
        rows.push((second, "-+", 1));
    }
    run(FailbackMode::Auto, &rows);
}

#[test]
fn jitter_adds_up_to_a_fifth() {
    for (entropy, due) in [(0, 40), (u64::MAX, 46)] {
        let mut active = Active::new(2);
        let policy = FailbackPolicy::default();
        let _ = active.update(&[false, true], &policy, Time::from_secs(1), entropy);
        let _ = active.update(&[true, true], &policy, Time::from_secs(10), entropy);
        let alarm = active.alarm(&policy).unwrap();
        let off = alarm.since(Time::from_secs(due)) + Time::from_secs(due).since(alarm);
        assert!(off < Duration::from_millis(2), "{alarm:?}");
    }
}

#[test]
fn by_hand_nothing_returns_until_told() {
    let rows = [(1, "-++", 1), (2, "+++", 1), (9_999, "+++", 1)];
    let mut active = run(FailbackMode::Manual, &rows);
    assert_eq!(active.alarm(&policy(FailbackMode::Manual)), None);
    let switch = active.order(Time::from_secs(10_000));
    let expected = Switch {
        from: 1,
        to: 0,
        kind: SwitchKind::Order,
    };
    assert_eq!(switch, Some(expected));
    assert_eq!(active.order(Time::from_secs(10_001)), None);
}

#[test]
fn an_order_does_not_move_to_a_tier_that_is_down() {
    let mut active = run(FailbackMode::Auto, &[(1, "-++", 1)]);
    assert_eq!(active.order(Time::from_secs(2)), None);
    assert_eq!(active.tier(), 1);
}

#[test]
fn the_alarm_is_the_next_return() {
    let policy = FailbackPolicy::default();
    let mut active = run(FailbackMode::Auto, &[(1, "--+", 2)]);
    assert_eq!(active.alarm(&policy), None);
    let _ = active.update(&[false, true, true], &policy, Time::from_secs(5), 0);
    assert_eq!(active.alarm(&policy), Some(Time::from_secs(35)));
    let _ = active.update(&[true, true, true], &policy, Time::from_secs(20), 0);
    assert_eq!(active.alarm(&policy), Some(Time::from_secs(35)));
}

#[test]
fn the_last_failover_is_remembered_and_a_return_is_none() {
    let rows = [(1, "-+", 1), (2, "++", 1), (32, "++", 0)];
    let active = run(FailbackMode::Auto, &rows);
    assert_eq!(active.last_failover(), Some(Time::from_secs(1)));
}

#[test]
fn history_survives_a_change_of_tiers() {
    let old = run(FailbackMode::Auto, &[(1, "-+", 1), (5, "++", 1)]);
    let policy = FailbackPolicy::default();
    // A tier was put between the two.
    let mut new = Active::new(3);
    new.inherit(&old, &[Some(0), None, Some(1)]);
    assert_eq!(new.tier(), 2);
    let _ = new.update(&[true, true, true], &policy, Time::from_secs(34), 0);
    assert_eq!(new.tier(), 2);
    let _ = new.update(&[true, true, true], &policy, Time::from_secs(35), 0);
    assert_eq!(new.tier(), 0);
    // The tier in use is gone.
    let mut gone = Active::new(1);
    gone.inherit(&old, &[Some(0)]);
    assert_eq!(gone.tier(), 0);
}
