//! Threads that share a group, in every order that a scheduler may choose, as far as sampled.
//!
//! Shuttle stands in for the atomics and the lock (`--features shuttle`), runs each body many
//! times under random schedules, and prints the schedule of a failure.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; the allowance for tests sees only functions marked as such"
)]

use std::sync::Arc;
use std::time::Duration;

use lb::{
    BreakerPolicy, BreakerView, BudgetPolicy, Cause, Change, Class, Decision, Failure, Group,
    GroupPolicy, Outcome, Peer, PeerIndex, PickRequest, Probed, Received, RetryFacts, Sent,
    Strategy, Time, Verdict, Why, classify,
};
use shuttle::sync::Mutex;
use shuttle::{check_random, thread};

const NOW: Time = Time::from_secs(10);
const A: PeerIndex = PeerIndex(0);

fn group(peers: usize, change: impl Fn(&mut GroupPolicy)) -> Arc<Group> {
    let mut policy = GroupPolicy {
        strategy: Strategy::RoundRobin,
        ..GroupPolicy::default()
    };
    change(&mut policy);
    let peers = (0..peers).map(|at| Peer::new(at.to_string())).collect();
    Group::new("g", peers, policy).unwrap()
}

fn breaker(failures: u32) -> BreakerPolicy {
    BreakerPolicy {
        connect_failure_threshold: failures,
        success_threshold: 1,
        ..BreakerPolicy::default()
    }
}

fn repeatable() -> PickRequest<'static> {
    PickRequest {
        repeatable: true,
        ..PickRequest::default()
    }
}

/// Runs the body in so many threads and waits for all.
fn together(threads: u64, body: impl Fn(u64) + Send + Sync + 'static) {
    let body = Arc::new(body);
    let spawn = |at| {
        let body = Arc::clone(&body);
        thread::spawn(move || body(at))
    };
    let all: Vec<_> = (0..threads).map(spawn).collect();
    for one in all {
        one.join().unwrap();
    }
}

fn fail(group: &Arc<Group>, now: Time) {
    if let Ok(mut pick) = group.pick(&repeatable(), now, 0) {
        pick.settle(Verdict::ConnectFail, now, 0);
    }
}

#[test]
fn threads_that_fail_together_open_the_breaker_once() {
    check_random(
        || {
            let group = group(1, |policy| policy.breaker = Some(breaker(2)));
            let shared = Arc::clone(&group);
            together(3, move |_| fail(&shared, NOW));
            let changes = group.take_changes();
            assert_eq!(changes.len(), 1, "{changes:?}");
            assert!(matches!(changes[0], Change::BreakerOpened { .. }));
            assert_eq!(group.losses(A), 1);
            assert!(group.pick(&repeatable(), NOW, 0).is_err());
            assert_eq!(group.view(NOW).peers[0].in_flight, 0);
        },
        2_000,
    );
}

#[test]
fn one_of_the_threads_that_want_the_probe_gets_it() {
    check_random(
        || {
            let group = group(1, |policy| policy.breaker = Some(breaker(1)));
            fail(&group, NOW);
            let later = NOW + Duration::from_secs(60);
            let held = Arc::new(Mutex::new(Vec::new()));
            let (shared, out) = (Arc::clone(&group), Arc::clone(&held));
            together(3, move |at| {
                let pick = shared.pick(&repeatable(), later, at);
                out.lock().unwrap().extend(pick);
            });
            let held = std::mem::take(&mut *held.lock().unwrap());
            assert_eq!(held.len(), 1);
            assert!(held[0].is_probe());
        },
        2_000,
    );
}

#[test]
fn probes_that_end_in_any_order_leave_the_breaker_usable() {
    check_random(
        || {
            let group = group(1, |policy| policy.breaker = Some(breaker(1)));
            fail(&group, NOW);
            let later = NOW + Duration::from_secs(60);
            let shared = Arc::clone(&group);
            together(3, move |at| {
                if let Ok(mut pick) = shared.pick(&repeatable(), later, at) {
                    match at {
                        0 => pick.settle(Verdict::Succeed, later, 0),
                        1 => pick.settle(Verdict::Neutral, later, 0),
                        // Dropped without a verdict.
                        _ => {}
                    }
                }
            });
            assert_eq!(group.view(later).peers[0].in_flight, 0);
            let pick = group.pick(&repeatable(), later, 0).unwrap();
            let closed = group.view(later).peers[0].breaker == BreakerView::Closed;
            assert_ne!(closed, pick.is_probe());
        },
        2_000,
    );
}

#[test]
fn a_straggler_of_before_the_trip_never_settles_a_probe() {
    check_random(
        || {
            let group = group(1, |policy| policy.breaker = Some(breaker(1)));
            let mut straggler = group.pick(&repeatable(), NOW, 0).unwrap();
            fail(&group, NOW);
            let later = NOW + Duration::from_secs(60);
            let shared = Arc::clone(&group);
            let late = thread::spawn(move || straggler.settle(Verdict::Succeed, later, 0));
            let probe = thread::spawn(move || shared.pick(&repeatable(), later, 0).unwrap());
            late.join().unwrap();
            let probe = probe.join().unwrap();
            assert!(probe.is_probe());
            assert_eq!(group.view(later).peers[0].breaker, BreakerView::HalfOpen);
        },
        2_000,
    );
}

#[test]
fn a_peer_that_goes_down_while_its_breaker_opens_is_lost_twice_and_picked_never() {
    check_random(
        || {
            let group = group(2, |policy| policy.breaker = Some(breaker(1)));
            let shared = Arc::clone(&group);
            together(2, move |at| {
                if at == 0 {
                    shared.probed(A, Probed::Failed, NOW, 0);
                } else {
                    let pin = Some(A);
                    let request = PickRequest {
                        pin,
                        ..repeatable()
                    };
                    if let Ok(mut pick) = shared.pick(&request, NOW, 0) {
                        pick.settle(Verdict::ConnectFail, NOW, 0);
                    }
                }
            });
            let view = group.view(NOW);
            assert_eq!(view.usable, 1);
            for _ in 0..3 {
                let pick = group.pick(&repeatable(), NOW, 0).unwrap();
                assert_eq!(pick.peer(), PeerIndex(1));
            }
        },
        2_000,
    );
}

#[test]
fn threads_share_the_turns_evenly() {
    check_random(
        || {
            let group = group(3, |_| ());
            let counts = Arc::new(Mutex::new([0; 3]));
            let (shared, out) = (Arc::clone(&group), Arc::clone(&counts));
            together(3, move |at| {
                for _ in 0..2 {
                    let pick = shared.pick(&repeatable(), NOW, at).unwrap();
                    out.lock().unwrap()[usize::from(pick.peer().0)] += 1;
                }
            });
            assert_eq!(*counts.lock().unwrap(), [2, 2, 2]);
        },
        2_000,
    );
}

#[test]
fn a_peer_is_never_fuller_than_allowed() {
    check_random(
        || {
            let group = group(1, |policy| policy.max_in_flight = 2);
            let held = Arc::new(Mutex::new(Vec::new()));
            let (shared, out) = (Arc::clone(&group), Arc::clone(&held));
            together(3, move |at| {
                let pick = shared.pick(&repeatable(), NOW, at);
                out.lock().unwrap().extend(pick);
            });
            // One that steps back while another looks may turn both away, but three never fit.
            let held = held.lock().unwrap().len();
            assert!((1..=2).contains(&held), "{held}");
        },
        2_000,
    );
}

/// A failure that may have run, so that repeating it is charged.
const LOST: Outcome = Outcome::Failed(Failure {
    cause: Cause::Reset,
    sent: Sent::Full,
    received: Received::Nothing,
    reused: false,
});

fn facts(class: &Class, now: Time) -> RetryFacts<'_> {
    RetryFacts {
        outcome: &LOST,
        class,
        safe: true,
        replayable: true,
        committed: false,
        attempts: 1,
        free: 0,
        first_failure: now,
        remaining: None,
        other_peers: true,
    }
}

fn charge(group: &Group, now: Time) -> bool {
    let class = classify(&LOST);
    match group.decide(&facts(&class, now), now, 0) {
        Decision::Retry { charged, .. } => charged,
        Decision::Stop(why) => {
            assert_eq!(why, Why::Budget);
            false
        }
    }
}

/// A budget of three tokens and what requests earn.
fn poor(policy: &mut GroupPolicy) {
    policy.retry.budget = BudgetPolicy {
        percent: 100,
        reserve: 3,
        per_second: 0,
    };
}

#[test]
fn the_last_token_is_spent_once() {
    check_random(
        || {
            let group = group(1, poor);
            let paid = Arc::new(Mutex::new(0));
            let (shared, out) = (Arc::clone(&group), Arc::clone(&paid));
            together(2, move |_| {
                for _ in 0..2 {
                    let charged = charge(&shared, NOW);
                    *out.lock().unwrap() += u32::from(charged);
                }
            });
            assert_eq!(*paid.lock().unwrap(), 3);
            let told = group.take_changes();
            assert_eq!(told, [Change::BudgetExhausted]);
        },
        2_000,
    );
}

#[test]
fn no_deposit_or_charge_is_lost_when_the_second_turns() {
    check_random(
        || {
            let group = group(1, poor);
            group.arrived(NOW);
            let shared = Arc::clone(&group);
            together(3, move |at| {
                let now = NOW + Duration::from_secs(1);
                match at {
                    0 => assert!(charge(&shared, now)),
                    1 => shared.arrived(NOW),
                    _ => shared.arrived(now),
                }
            });
            // Three in reserve, three earned, one spent.
            assert_eq!(group.view(NOW).retry_tokens, 5);
            // And all of it forgotten in time, whatever slot it landed in.
            group.arrived(NOW + Duration::from_secs(30));
            assert_eq!(group.view(NOW).retry_tokens, 4);
        },
        4_000,
    );
}
