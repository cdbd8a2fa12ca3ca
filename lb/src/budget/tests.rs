//! Tables of (time, event, tokens).

use super::*;

enum Event {
    Arrive(u32),
    Take(u32),
    Refuse,
    Refund,
}

use Event::*;

fn run(policy: BudgetPolicy, peers: usize, rows: &[(u64, Event, u32)]) {
    let budget = Budget::new(&policy, peers);
    for (row, (millis, event, tokens)) in rows.iter().enumerate() {
        let now = Time::from_millis(*millis);
        match event {
            Arrive(count) => (0..*count).for_each(|_| budget.deposit(now)),
            Take(count) => {
                for _ in 0..*count {
                    assert_eq!(budget.charge(now), Charge::Paid, "row {row}");
                }
            }
            Refuse => assert_eq!(budget.charge(now), Charge::Refused, "row {row}"),
            Refund => budget.refund(),
        }
        assert_eq!(budget.tokens(), *tokens, "row {row}");
    }
}

const fn policy(percent: u32, reserve: u32, per_second: u32) -> BudgetPolicy {
    BudgetPolicy {
        percent,
        reserve,
        per_second,
    }
}

#[test]
fn requests_add_their_share_and_retries_take_whole_tokens() {
    let rows = [
        (0, Take(2), 0),
        (0, Refuse, 0),
        (0, Arrive(4), 0),
        (0, Refuse, 0),
        (0, Arrive(1), 1),
        (0, Take(1), 0),
        (0, Arrive(50), 10),
        (0, Take(10), 0),
        (0, Refuse, 0),
    ];
    run(policy(20, 2, 0), 0, &rows);
}

#[test]
fn what_is_ten_seconds_old_is_forgotten() {
    let rows = [
        (0, Arrive(100), 22),
        (1_000, Take(22), 0),
        (9_999, Refuse, 0),
        // The deposits of second 0 go first and leave a debt; then the charges of second 1.
        (10_000, Refuse, 0),
        (10_999, Refuse, 0),
        (11_000, Take(2), 0),
        (20_999, Refuse, 0),
        (21_000, Take(2), 0),
        (500_000, Take(2), 0),
    ];
    run(policy(20, 2, 0), 0, &rows);
}

#[test]
fn each_second_adds_its_own_up_to_the_window() {
    let rows = [
        (0, Arrive(0), 2),
        (999, Arrive(1), 2),
        (1_000, Arrive(1), 5),
        (2_000, Arrive(1), 8),
        (5_000, Arrive(1), 17),
        (10_000, Arrive(1), 32),
        (11_000, Arrive(1), 32),
        (60_000, Arrive(1), 32),
        (60_500, Take(32), 0),
        (60_500, Refuse, 0),
        (61_000, Refuse, 0),
    ];
    run(policy(0, 2, 3), 0, &rows);
}

#[test]
fn the_reserve_grows_with_the_peers() {
    let tokens = |reserve, peers| Budget::new(&policy(20, reserve, 3), peers).tokens();
    assert_eq!(tokens(10, 3), 10);
    assert_eq!(tokens(10, 4), 12);
    assert_eq!(tokens(0, 1), 3);
    assert_eq!(tokens(10, 65_535), 196_605);
}

#[test]
fn a_refund_gives_the_token_back() {
    let rows = [
        (0, Take(2), 0),
        (0, Refund, 1),
        (0, Take(1), 0),
        (0, Refuse, 0),
    ];
    run(policy(20, 2, 0), 0, &rows);
}

#[test]
fn a_clock_that_steps_back_changes_nothing() {
    let rows = [
        (20_000, Arrive(10), 4),
        (3_000, Arrive(10), 6),
        (0, Take(6), 0),
        (25_000, Refuse, 0),
        (30_000, Take(2), 0),
    ];
    run(policy(20, 2, 0), 0, &rows);
}

#[test]
fn a_copy_keeps_the_window_on_the_new_reserve() {
    let old = Budget::new(&policy(20, 5, 0), 0);
    let second = |second| Time::from_secs(second);
    (0..4).for_each(|_| assert_eq!(old.charge(second(7)), Charge::Paid));
    let new = Budget::new(&policy(20, 10, 0), 0);
    new.copy(&old);
    assert_eq!(new.tokens(), 6);
    new.deposit(second(17));
    assert_eq!(new.tokens(), 10);
}
