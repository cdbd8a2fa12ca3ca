//! Retry decisions and the budget they cost.

use super::*;
use crate::{
    Cause, Class, Decision, Failure, Next, Outcome, Received, RetryFacts, Sent, Why, classify,
};

const LOST: Outcome = failure(Cause::Reset, Sent::Full);
const REFUSED: Outcome = failure(Cause::Connect, Sent::Nothing);

const fn failure(cause: Cause, sent: Sent) -> Outcome {
    Outcome::Failed(Failure {
        cause,
        sent,
        received: Received::Nothing,
        reused: false,
    })
}

fn facts<'a>(world: &World, outcome: &'a Outcome, class: &'a Class) -> RetryFacts<'a> {
    RetryFacts {
        outcome,
        class,
        safe: true,
        replayable: true,
        committed: false,
        attempts: 1,
        free: 0,
        first_failure: world.now,
        remaining: None,
        other_peers: true,
    }
}

fn decide(world: &World, outcome: Outcome) -> Decision {
    let class = classify(&outcome);
    world
        .group
        .decide(&facts(world, &outcome, &class), world.now, 0)
}

fn is_charged(decision: Decision) -> bool {
    match decision {
        Decision::Retry { charged, .. } => charged,
        Decision::Stop(why) => panic!("stopped: {why:?}"),
    }
}

#[test]
fn only_what_may_have_reached_a_peer_is_charged() {
    let world = World::new(&[1, 1]);
    for _ in 0..100 {
        assert!(!is_charged(decide(&world, REFUSED)));
    }
    for _ in 0..10 {
        assert!(is_charged(decide(&world, LOST)));
    }
    assert_eq!(decide(&world, LOST), Decision::Stop(Why::Budget));
    // What was not sent still fails over.
    let expected = Decision::Retry {
        wait: Duration::ZERO,
        next: Next::OtherPeer,
        charged: false,
    };
    assert_eq!(decide(&world, REFUSED), expected);
}

#[test]
fn a_decision_to_stop_costs_nothing() {
    let world = World::new(&[1, 1]);
    let outcome = LOST;
    let class = classify(&outcome);
    for _ in 0..50 {
        let facts = RetryFacts {
            safe: false,
            ..facts(&world, &outcome, &class)
        };
        let got = world.group.decide(&facts, world.now, 0);
        assert_eq!(got, Decision::Stop(Why::NotSafe));
    }
    assert_eq!(world.group.view(world.now).retry_tokens, 10);
}

#[test]
fn an_empty_budget_is_told_of_once_until_it_recovers() {
    let mut world = World::new(&[1, 1]);
    let exhaust = |world: &World| while decide(world, LOST) != Decision::Stop(Why::Budget) {};
    exhaust(&world);
    exhaust(&world);
    assert_eq!(world.changes(), [Change::BudgetExhausted]);
    world.wait(1_000);
    exhaust(&world);
    assert_eq!(world.changes(), [Change::BudgetExhausted]);
}

#[test]
fn requests_earn_retries_and_a_refund_returns_one() {
    let world = World::new(&[1, 1]);
    while decide(&world, LOST) != Decision::Stop(Why::Budget) {}
    (0..5).for_each(|_| world.group.arrived(world.now));
    assert!(is_charged(decide(&world, LOST)));
    assert_eq!(decide(&world, LOST), Decision::Stop(Why::Budget));
    world.group.refund();
    assert!(is_charged(decide(&world, LOST)));
}

#[test]
fn whether_there_is_another_peer_can_be_asked() {
    let mut world = World::new(&[1, 2]);
    let other =
        |world: &World, avoid: &[u16]| world.group.has_other(&tried(avoid), None, world.now);
    assert!(other(&world, &[]));
    assert!(other(&world, &[0]));
    assert!(!other(&world, &[0, 1]));
    world.down(1);
    assert!(!other(&world, &[0]));
}
