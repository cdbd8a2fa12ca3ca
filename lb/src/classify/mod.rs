//! The one classifier: what an outcome says about the peer, about delivery, and about repeating.
//!
//! Retry, breaker, passive health and statistics all read its answer, so they cannot disagree.

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests;

use std::time::Duration;

use crate::outcome::{Cause, Failure, Outcome, Received, Sent};

/// What an outcome means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Class {
    /// What it says about the peer.
    pub verdict: Verdict,
    /// Whether the peer got the request.
    pub delivery: Delivery,
    /// Whether the request may be sent again.
    pub retry: Repeat,
    /// Whether the peer's health should be checked at once.
    pub fast_check: bool,
}

/// What an attempt says about its peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// No connection: counts toward the connect threshold and the rate.
    ConnectFail,
    /// A gateway-class failure: counts toward the threshold and the rate.
    Fail,
    /// Nothing.
    Neutral,
    /// It has too much to do: no new requests for a while, but no failure either.
    Overload {
        /// For how long, unless no other peer is left.
        cooldown: Duration,
    },
    /// A failure that may be the request's own fault: counts toward the rate only.
    RateFail,
    /// It works.
    Succeed,
}

/// Whether the peer got the request; reported as it is, never guessed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Delivery {
    /// It answered.
    Answered,
    /// Not a byte reached it, or it said that it did not process it.
    NotSent,
    /// It may have.
    Unknown,
}

/// Whether, and how, a request may be sent again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Repeat {
    /// Any request.
    Any {
        /// Whether the attempt does not count.
        free: bool,
    },
    /// Any request, once, on a fresh connection: 421 (RFC 9110 §15.5.20) and 425 (RFC 8470 §5.2)
    /// say that it was not processed.
    FreshOnce,
    /// No request.
    Never,
    /// One that may run twice, and only on another peer.
    OtherPeer,
    /// One that may run twice.
    Safe {
        /// Whether the first such attempt does not count.
        free: bool,
    },
}

/// Says what an outcome means.
pub fn classify(outcome: &Outcome) -> Class {
    match outcome {
        Outcome::Answered {
            status,
            retry_after,
        } => answered(*status, *retry_after),
        Outcome::Cancelled => Class {
            verdict: Verdict::Neutral,
            delivery: Delivery::Unknown,
            retry: Repeat::Never,
            fast_check: false,
        },
        Outcome::Failed(failure) => failed(*failure),
        Outcome::Local => Class {
            verdict: Verdict::Neutral,
            delivery: Delivery::NotSent,
            retry: Repeat::Any { free: false },
            fast_check: false,
        },
    }
}

fn answered(status: u16, retry_after: Option<Duration>) -> Class {
    let (verdict, retry) = match (status, retry_after) {
        (421 | 425, _) => (Verdict::Neutral, Repeat::FreshOnce),
        // RFC 6585 §4, RFC 9110 §15.6.4: load, which a peer survives if it is let be.
        (429, wait) => (overload(wait), Repeat::OtherPeer),
        (503, Some(wait)) => (overload(Some(wait)), Repeat::Safe { free: false }),
        (502..=504, _) => (Verdict::Fail, Repeat::Safe { free: false }),
        // Not implemented, version not supported: about the request, not the server's state.
        (501 | 505, _) => (Verdict::Succeed, Repeat::Never),
        (500.., _) => (Verdict::RateFail, Repeat::Safe { free: false }),
        _ => (Verdict::Succeed, Repeat::Never),
    };
    Class {
        verdict,
        delivery: Delivery::Answered,
        retry,
        fast_check: false,
    }
}

fn overload(retry_after: Option<Duration>) -> Verdict {
    let cooldown = retry_after.unwrap_or(COOLDOWN).min(LONGEST_COOLDOWN);
    Verdict::Overload { cooldown }
}

fn failed(failure: Failure) -> Class {
    let not_sent = failure.sent == Sent::Nothing;
    match failure.cause {
        Cause::Connect | Cause::ConnectTimeout | Cause::Tls => Class {
            verdict: Verdict::ConnectFail,
            delivery: Delivery::NotSent,
            retry: Repeat::Any { free: false },
            fast_check: true,
        },
        Cause::Unprocessed => unprocessed(),
        // It has too much to do, which says nothing of its health, but another may have less.
        Cause::Refused => Class {
            retry: Repeat::Any { free: false },
            ..unprocessed()
        },
        Cause::BodyAborted => Class {
            verdict: Verdict::Fail,
            delivery: Delivery::Answered,
            retry: Repeat::Never,
            fast_check: false,
        },
        // A head was there, so the failure is one of the body whatever its cause.
        _ if failure.received == Received::Head => Class {
            verdict: Verdict::Fail,
            delivery: Delivery::Answered,
            retry: Repeat::Never,
            fast_check: false,
        },
        Cause::Closed | Cause::Reset if idle_race(failure) && not_sent => unprocessed(),
        // The peer may have closed an idle connection while the request was under way. That says
        // nothing about the peer, but bytes went out: RFC 9110 §9.2.2.
        Cause::Closed | Cause::Reset if idle_race(failure) => Class {
            verdict: Verdict::Neutral,
            delivery: Delivery::Unknown,
            retry: Repeat::Safe { free: true },
            fast_check: false,
        },
        // The evidence that the peer is down was someone else's and is counted there.
        Cause::Lost => no_answer(Verdict::Neutral, not_sent),
        Cause::Closed | Cause::HeadTimeout | Cause::Malformed | Cause::Reset => {
            no_answer(Verdict::Fail, not_sent)
        }
    }
}

/// Whether a connection that had been idle ended without a byte of an answer.
fn idle_race(failure: Failure) -> bool {
    failure.reused && failure.received == Received::Nothing
}

fn unprocessed() -> Class {
    Class {
        verdict: Verdict::Neutral,
        delivery: Delivery::NotSent,
        retry: Repeat::Any { free: true },
        fast_check: false,
    }
}

fn no_answer(verdict: Verdict, not_sent: bool) -> Class {
    let (delivery, retry) = if not_sent {
        (Delivery::NotSent, Repeat::Any { free: false })
    } else {
        (Delivery::Unknown, Repeat::Safe { free: false })
    };
    Class {
        verdict,
        delivery,
        retry,
        fast_check: true,
    }
}

/// How long a peer is left alone when it does not say: about the time a queue needs to drain.
const COOLDOWN: Duration = Duration::from_secs(1);
/// A peer that asks for more is asked again: no header may take it out of service for hours.
const LONGEST_COOLDOWN: Duration = Duration::from_secs(30);
