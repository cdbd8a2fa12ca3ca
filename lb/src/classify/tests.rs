//! The table, row by row.

use super::*;
use crate::outcome::{Cause::*, Failure};

const NOT_SENT: Delivery = Delivery::NotSent;
const UNKNOWN: Delivery = Delivery::Unknown;
const ANSWERED: Delivery = Delivery::Answered;
const ANY: Repeat = Repeat::Any { free: false };
const FREE: Repeat = Repeat::Any { free: true };
const SAFE: Repeat = Repeat::Safe { free: false };
const ONCE_FREE: Repeat = Repeat::Safe { free: true };
const NEVER: Repeat = Repeat::Never;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn overload(millis: u64) -> Verdict {
    Verdict::Overload {
        cooldown: Duration::from_millis(millis),
    }
}

#[test]
fn answers_mean_what_the_table_says() {
    use Verdict::{Fail, Neutral, RateFail, Succeed};
    let rows = [
        (100, None, Succeed, NEVER),
        (200, None, Succeed, NEVER),
        (204, None, Succeed, NEVER),
        (301, None, Succeed, NEVER),
        (400, None, Succeed, NEVER),
        (401, None, Succeed, NEVER),
        (403, None, Succeed, NEVER),
        (404, None, Succeed, NEVER),
        (405, None, Succeed, NEVER),
        (406, None, Succeed, NEVER),
        (408, None, Succeed, NEVER),
        (421, None, Neutral, Repeat::FreshOnce),
        (425, None, Neutral, Repeat::FreshOnce),
        (425, Some(secs(1)), Neutral, Repeat::FreshOnce),
        (429, None, overload(1_000), Repeat::OtherPeer),
        (429, Some(secs(5)), overload(5_000), Repeat::OtherPeer),
        (429, Some(secs(3_600)), overload(30_000), Repeat::OtherPeer),
        (499, None, Succeed, NEVER),
        (500, None, RateFail, SAFE),
        (500, Some(secs(1)), RateFail, SAFE),
        (501, None, Succeed, NEVER),
        (502, None, Fail, SAFE),
        (502, Some(secs(1)), Fail, SAFE),
        (503, None, Fail, SAFE),
        (503, Some(secs(2)), overload(2_000), SAFE),
        (504, None, Fail, SAFE),
        (505, None, Succeed, NEVER),
        (506, None, RateFail, SAFE),
        (520, None, RateFail, SAFE),
        (599, None, RateFail, SAFE),
    ];
    for (status, retry_after, verdict, retry) in rows {
        let class = classify(&Outcome::Answered {
            status,
            retry_after,
        });
        let expected = Class {
            verdict,
            delivery: ANSWERED,
            retry,
            fast_check: false,
        };
        assert_eq!(class, expected, "{status} {retry_after:?}");
    }
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one table, one row per line of the specification"
)]
fn failures_mean_what_the_table_says() {
    use Received::{Head, Nothing as Silence, Partial as Piece};
    use Sent::{Full, Nothing, Partial};
    use Verdict::{ConnectFail, Fail, Neutral};
    let (fresh, reused) = (false, true);
    let rows = [
        // No connection, so nothing was sent, whatever the connection was to be.
        (
            Connect,
            Nothing,
            Silence,
            fresh,
            ConnectFail,
            NOT_SENT,
            ANY,
            true,
        ),
        (
            ConnectTimeout,
            Nothing,
            Silence,
            fresh,
            ConnectFail,
            NOT_SENT,
            ANY,
            true,
        ),
        (
            Tls,
            Nothing,
            Silence,
            fresh,
            ConnectFail,
            NOT_SENT,
            ANY,
            true,
        ),
        // Handed back.
        (
            Unprocessed,
            Nothing,
            Silence,
            reused,
            Neutral,
            NOT_SENT,
            FREE,
            false,
        ),
        (
            Unprocessed,
            Full,
            Silence,
            fresh,
            Neutral,
            NOT_SENT,
            FREE,
            false,
        ),
        (
            Refused, Full, Silence, reused, Neutral, NOT_SENT, ANY, false,
        ),
        // A connection that had been idle.
        (
            Closed, Nothing, Silence, reused, Neutral, NOT_SENT, FREE, false,
        ),
        (
            Reset, Nothing, Silence, reused, Neutral, NOT_SENT, FREE, false,
        ),
        (
            Closed, Partial, Silence, reused, Neutral, UNKNOWN, ONCE_FREE, false,
        ),
        (
            Closed, Full, Silence, reused, Neutral, UNKNOWN, ONCE_FREE, false,
        ),
        (
            Reset, Full, Silence, reused, Neutral, UNKNOWN, ONCE_FREE, false,
        ),
        // It began to answer, so it was not the idle race.
        (Closed, Full, Piece, reused, Fail, UNKNOWN, SAFE, true),
        // A fresh one.
        (Closed, Nothing, Silence, fresh, Fail, NOT_SENT, ANY, true),
        (Closed, Partial, Silence, fresh, Fail, UNKNOWN, SAFE, true),
        (Closed, Full, Silence, fresh, Fail, UNKNOWN, SAFE, true),
        (Reset, Full, Silence, fresh, Fail, UNKNOWN, SAFE, true),
        (Reset, Full, Piece, fresh, Fail, UNKNOWN, SAFE, true),
        (Malformed, Full, Piece, fresh, Fail, UNKNOWN, SAFE, true),
        (Malformed, Full, Piece, reused, Fail, UNKNOWN, SAFE, true),
        (HeadTimeout, Full, Silence, fresh, Fail, UNKNOWN, SAFE, true),
        (
            HeadTimeout,
            Partial,
            Silence,
            reused,
            Fail,
            UNKNOWN,
            SAFE,
            true,
        ),
        (
            HeadTimeout,
            Nothing,
            Silence,
            fresh,
            Fail,
            NOT_SENT,
            ANY,
            true,
        ),
        // Someone else's evidence.
        (Lost, Nothing, Silence, fresh, Neutral, NOT_SENT, ANY, true),
        (Lost, Full, Silence, reused, Neutral, UNKNOWN, SAFE, true),
        // After the head.
        (BodyAborted, Full, Head, fresh, Fail, ANSWERED, NEVER, false),
        (Reset, Full, Head, fresh, Fail, ANSWERED, NEVER, false),
        (Closed, Full, Head, reused, Fail, ANSWERED, NEVER, false),
        (Malformed, Full, Head, fresh, Fail, ANSWERED, NEVER, false),
    ];
    for (cause, sent, received, reused, verdict, delivery, retry, fast_check) in rows {
        let failure = Failure {
            cause,
            sent,
            received,
            reused,
        };
        let expected = Class {
            verdict,
            delivery,
            retry,
            fast_check,
        };
        assert_eq!(classify(&Outcome::Failed(failure)), expected, "{failure:?}");
    }
}

#[test]
fn a_client_that_left_and_our_own_refusal_say_nothing_about_the_peer() {
    let cancelled = Class {
        verdict: Verdict::Neutral,
        delivery: UNKNOWN,
        retry: NEVER,
        fast_check: false,
    };
    assert_eq!(classify(&Outcome::Cancelled), cancelled);
    let local = Class {
        verdict: Verdict::Neutral,
        delivery: NOT_SENT,
        retry: ANY,
        fast_check: false,
    };
    assert_eq!(classify(&Outcome::Local), local);
}
