//! Tables of facts and decisions.

use super::*;
use crate::backoff::Jitter;
use crate::classify::{Class, classify};
use crate::outcome::{Cause, Failure, Outcome, Received, Sent};
use crate::time::Time;

const NOW: Time = Time::from_secs(100);

/// A policy whose waits are not random.
fn policy() -> RetryPolicy {
    let backoff = Backoff {
        jitter: Jitter::None,
        ..Backoff::default()
    };
    RetryPolicy {
        backoff,
        ..RetryPolicy::default()
    }
}

fn failed(cause: Cause, sent: Sent, reused: bool) -> Outcome {
    Outcome::Failed(Failure {
        cause,
        sent,
        received: Received::Nothing,
        reused,
    })
}

fn answered(status: u16, retry_after: Option<u64>) -> Outcome {
    let retry_after = retry_after.map(Duration::from_millis);
    Outcome::Answered {
        status,
        retry_after,
    }
}

const fn facts<'a>(outcome: &'a Outcome, class: &'a Class) -> RetryFacts<'a> {
    RetryFacts {
        outcome,
        class,
        safe: true,
        replayable: true,
        committed: false,
        attempts: 1,
        free: 0,
        first_failure: NOW,
        remaining: None,
        other_peers: true,
    }
}

/// The judgement on a first attempt that ended so, with the facts changed by `change`.
fn decide(outcome: Outcome, change: impl Fn(&mut RetryFacts<'_>)) -> Judgement {
    let class = classify(&outcome);
    let mut facts = facts(&outcome, &class);
    change(&mut facts);
    judge(&facts, &policy(), NOW, 0)
}

const fn free(millis: u64, next: Next) -> Judgement {
    let wait = Duration::from_millis(millis);
    Judgement::Free { wait, next }
}

const fn charged(millis: u64, next: Next) -> Judgement {
    let wait = Duration::from_millis(millis);
    Judgement::Charged { wait, next }
}

use Next::{OtherPeer, SamePeerFresh};

fn refused() -> Outcome {
    failed(Cause::Connect, Sent::Nothing, false)
}

fn no_reply() -> Outcome {
    failed(Cause::Reset, Sent::Full, false)
}

fn stale_sent() -> Outcome {
    failed(Cause::Reset, Sent::Full, true)
}

fn stale() -> Outcome {
    failed(Cause::Unprocessed, Sent::Nothing, true)
}

#[test]
fn each_outcome_is_repeated_as_its_class_says() {
    let unsafe_stop = Judgement::Stop(Why::NotSafe);
    let last = Judgement::Stop(Why::Final);
    let unlisted = Judgement::Stop(Why::NotListed);
    // (outcome, when it may run twice, when it may not)
    let rows = [
        (refused(), free(0, OtherPeer), free(0, OtherPeer)),
        (stale(), free(0, SamePeerFresh), free(0, SamePeerFresh)),
        (Outcome::Local, free(0, OtherPeer), free(0, OtherPeer)),
        (stale_sent(), free(0, SamePeerFresh), unsafe_stop),
        (no_reply(), charged(25, OtherPeer), unsafe_stop),
        (
            failed(Cause::Closed, Sent::Nothing, false),
            free(0, OtherPeer),
            free(0, OtherPeer),
        ),
        (
            failed(Cause::HeadTimeout, Sent::Full, false),
            charged(25, OtherPeer),
            unsafe_stop,
        ),
        (
            failed(Cause::Lost, Sent::Full, false),
            charged(25, OtherPeer),
            unsafe_stop,
        ),
        (
            failed(Cause::Lost, Sent::Nothing, false),
            free(0, OtherPeer),
            free(0, OtherPeer),
        ),
        (
            failed(Cause::Malformed, Sent::Full, false),
            charged(25, OtherPeer),
            unsafe_stop,
        ),
        (failed(Cause::BodyAborted, Sent::Full, false), last, last),
        (answered(200, None), last, last),
        (answered(404, None), last, last),
        (
            answered(421, None),
            charged(0, SamePeerFresh),
            charged(0, SamePeerFresh),
        ),
        (
            answered(425, None),
            charged(0, SamePeerFresh),
            charged(0, SamePeerFresh),
        ),
        (answered(429, None), charged(25, OtherPeer), unsafe_stop),
        (answered(500, None), unlisted, unlisted),
        (answered(501, None), last, last),
        (answered(502, None), charged(25, OtherPeer), unsafe_stop),
        (answered(503, None), charged(25, OtherPeer), unsafe_stop),
        (answered(504, None), charged(25, OtherPeer), unsafe_stop),
        (Outcome::Cancelled, last, last),
    ];
    for (outcome, safe, unsafe_) in rows {
        assert_eq!(decide(outcome, |_| ()), safe, "{outcome:?}");
        assert_eq!(
            decide(outcome, |facts| facts.safe = false),
            unsafe_,
            "{outcome:?}"
        );
    }
}

#[test]
fn nothing_is_repeated_after_commit_or_without_its_body() {
    for outcome in [
        refused(),
        stale(),
        no_reply(),
        answered(503, None),
        answered(421, None),
    ] {
        let committed = decide(outcome, |facts| facts.committed = true);
        assert_eq!(committed, Judgement::Stop(Why::Committed), "{outcome:?}");
        let spent = decide(outcome, |facts| facts.replayable = false);
        assert_eq!(spent, Judgement::Stop(Why::NotReplayable), "{outcome:?}");
    }
}

#[test]
fn only_what_is_listed_is_repeated() {
    let rows = [
        (refused(), "connect"),
        (
            failed(Cause::ConnectTimeout, Sent::Nothing, false),
            "connect",
        ),
        (failed(Cause::Tls, Sent::Nothing, false), "connect"),
        (stale(), "connect"),
        (no_reply(), "reset"),
        (failed(Cause::Closed, Sent::Full, true), "reset"),
        (failed(Cause::Malformed, Sent::Full, false), "reset"),
        (failed(Cause::HeadTimeout, Sent::Full, false), "timeout"),
        (failed(Cause::Lost, Sent::Full, false), "timeout"),
        (answered(503, None), "statuses"),
        (answered(429, None), "nothing"),
        (answered(421, None), "nothing"),
        (Outcome::Local, "nothing"),
    ];
    for (outcome, needs) in rows {
        for left_out in ["connect", "reset", "timeout", "statuses"] {
            let mut policy = policy();
            match left_out {
                "connect" => policy.when.connect = false,
                "reset" => policy.when.reset = false,
                "timeout" => policy.when.timeout = false,
                _ => policy.when.statuses.clear(),
            }
            let class = classify(&outcome);
            let got = judge(&facts(&outcome, &class), &policy, NOW, 0);
            let stopped = got == Judgement::Stop(Why::NotListed);
            assert_eq!(stopped, left_out == needs, "{outcome:?} without {left_out}");
        }
    }
    let mut policy = policy();
    policy.when.statuses.push(500);
    let outcome = answered(500, None);
    let class = classify(&outcome);
    let got = judge(&facts(&outcome, &class), &policy, NOW, 0);
    assert_eq!(got, charged(25, OtherPeer));
}

#[test]
fn attempts_end_where_the_policy_says() {
    let stop = Judgement::Stop(Why::Attempts);
    // (outcome, attempts, free ones before, decision)
    let rows = [
        (no_reply(), 1, 0, charged(25, OtherPeer)),
        (no_reply(), 2, 0, charged(50, OtherPeer)),
        (no_reply(), 3, 0, stop),
        (no_reply(), 3, 1, charged(100, OtherPeer)),
        (no_reply(), 4, 1, stop),
        (no_reply(), 4, 2, charged(200, OtherPeer)),
        (no_reply(), 5, 3, stop),
        (refused(), 2, 0, free(0, OtherPeer)),
        (refused(), 3, 0, stop),
        // Free ones do not count, up to the hard cap.
        (stale(), 3, 0, free(0, SamePeerFresh)),
        (stale(), 4, 0, stop),
        (stale(), 4, 3, free(0, OtherPeer)),
        (stale(), 5, 4, stop),
        // Only the first one that was sent is free.
        (stale_sent(), 2, 0, free(0, SamePeerFresh)),
        (stale_sent(), 2, 1, charged(50, OtherPeer)),
        (stale_sent(), 4, 1, stop),
        // Once.
        (answered(421, None), 2, 0, stop),
        (answered(425, None), 2, 1, stop),
    ];
    for (row, (outcome, attempts, spent, expected)) in rows.into_iter().enumerate() {
        let got = decide(outcome, |facts| {
            facts.attempts = attempts;
            facts.free = spent;
        });
        assert_eq!(got, expected, "row {row}: {outcome:?}");
    }
}

#[test]
fn whether_an_attempt_was_free_can_be_asked() {
    let rows = [
        (stale(), 0, true),
        (stale(), 4, true),
        (stale_sent(), 0, true),
    ];
    let others = [
        (stale_sent(), 1, false),
        (refused(), 0, false),
        (answered(421, None), 0, false),
    ];
    for (outcome, before, free) in rows.into_iter().chain(others) {
        let class = classify(&outcome);
        let mut facts = facts(&outcome, &class);
        facts.free = before;
        assert_eq!(facts.is_free(), free, "{outcome:?} {before}");
    }
}

#[test]
fn no_attempt_begins_after_the_window_or_the_deadline() {
    let first_failure = |millis: u64| Time::from_millis(100_000 - millis);
    let window =
        |millis| move |facts: &mut RetryFacts<'_>| facts.first_failure = first_failure(millis);
    // The wait counts: 25 ms.
    assert_eq!(decide(no_reply(), window(9_975)), charged(25, OtherPeer));
    assert_eq!(
        decide(no_reply(), window(9_976)),
        Judgement::Stop(Why::Window)
    );
    assert_eq!(decide(refused(), window(10_000)), free(0, OtherPeer));
    assert_eq!(
        decide(refused(), window(10_001)),
        Judgement::Stop(Why::Window)
    );
    let left = |millis| {
        move |facts: &mut RetryFacts<'_>| facts.remaining = Some(Duration::from_millis(millis))
    };
    assert_eq!(decide(no_reply(), left(35)), charged(25, OtherPeer));
    assert_eq!(decide(no_reply(), left(34)), Judgement::Stop(Why::Deadline));
    assert_eq!(decide(refused(), left(10)), free(0, OtherPeer));
    assert_eq!(decide(refused(), left(9)), Judgement::Stop(Why::Deadline));
}

#[test]
fn retry_after_is_honoured_up_to_two_seconds() {
    let stop = Judgement::Stop(Why::RetryAfter);
    // (status, Retry-After in ms, left in ms, other peers, decision)
    let rows = [
        (503, 1_000, None, true, charged(1_000, OtherPeer)),
        (503, 2_000, None, true, charged(2_000, OtherPeer)),
        (503, 2_001, None, true, charged(25, OtherPeer)),
        (503, 1_000, Some(900), true, charged(25, OtherPeer)),
        (503, 1_000, Some(1_010), true, charged(1_000, OtherPeer)),
        (503, 1_000, None, false, charged(1_000, SamePeerFresh)),
        (503, 2_001, None, false, stop),
        (503, 1_000, Some(999), false, stop),
        (429, 1_000, None, true, charged(1_000, OtherPeer)),
        (429, 9_000, None, true, charged(25, OtherPeer)),
        (429, 1_000, None, false, Judgement::Stop(Why::NoOtherPeer)),
    ];
    for (row, (status, asked, left, others, expected)) in rows.into_iter().enumerate() {
        let got = decide(answered(status, Some(asked)), |facts| {
            facts.remaining = left.map(Duration::from_millis);
            facts.other_peers = others;
        });
        assert_eq!(got, expected, "row {row}");
    }
}

#[test]
fn the_same_peer_gets_time_to_come_back() {
    for (entropy, millis) in [(0, 100), (1 << 63, 550), (u64::MAX, 1_000)] {
        for outcome in [refused(), no_reply(), answered(502, None), Outcome::Local] {
            let class = classify(&outcome);
            let mut facts = facts(&outcome, &class);
            facts.other_peers = false;
            let wait = Duration::from_millis(millis);
            match judge(&facts, &policy(), NOW, entropy) {
                Judgement::Free { wait: got, next } | Judgement::Charged { wait: got, next } => {
                    assert_eq!((got, next), (wait, SamePeerFresh), "{outcome:?}");
                }
                stop @ Judgement::Stop(_) => panic!("{stop:?} for {outcome:?}"),
            }
        }
    }
}
