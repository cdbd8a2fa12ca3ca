//! The decision to try again, as a function of facts.

use std::time::Duration;

use super::RetryPolicy;
use crate::backoff::up_to;
use crate::classify::{Class, Delivery, Repeat};
use crate::outcome::{Cause, Outcome};
use crate::time::Time;

/// What is known when an attempt has failed.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each named where it is given; none excludes another"
)]
pub struct RetryFacts<'a> {
    /// How the attempt ended.
    pub outcome: &'a Outcome,
    /// What that means.
    pub class: &'a Class,
    /// Whether the request may run twice.
    pub safe: bool,
    /// Whether its body can be sent again; true for an untouched body, whatever its size.
    pub replayable: bool,
    /// Whether the client was given something that binds us.
    pub committed: bool,
    /// Attempts made so far, free ones included; at least 1.
    pub attempts: u32,
    /// How many attempts before the last one were free; see [`RetryFacts::is_free`].
    pub free: u32,
    /// When the first attempt failed.
    pub first_failure: Time,
    /// What is left of the total deadline, if there is one.
    pub remaining: Option<Duration>,
    /// Whether a peer that was not tried may be usable.
    pub other_peers: bool,
}

impl RetryFacts<'_> {
    /// Whether the attempt that ended does not count: add one to `free` before the next decision.
    pub fn is_free(&self) -> bool {
        match self.class.retry {
            Repeat::Any { free } => free,
            // One pooled connection may have been idle too long; the next one is fresh.
            Repeat::Safe { free } => free && self.free == 0,
            Repeat::FreshOnce | Repeat::Never | Repeat::OtherPeer => false,
        }
    }
}

/// What to do after a failed attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Decision {
    /// Wait, then pick again.
    Retry {
        /// For how long.
        wait: Duration,
        /// Where.
        next: Next,
        /// Whether it took a token of the budget, to be refunded if it never reaches a peer.
        charged: bool,
    },
    /// Give up.
    Stop(Why),
}

/// Where the next attempt should go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Next {
    /// To a peer that was not tried, if there is one.
    OtherPeer,
    /// To the same peer, on a fresh connection.
    SamePeerFresh,
}

/// Why there is no further attempt.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Why {
    /// All attempts are used up.
    Attempts,
    /// The group's retry budget is.
    Budget,
    /// The client already has the beginning of an answer.
    Committed,
    /// Too little time is left.
    Deadline,
    /// The outcome stands: an answer, or a client that left.
    Final,
    /// The policy does not list such an outcome.
    NotListed,
    /// The body cannot be sent again.
    NotReplayable,
    /// The peer may have run the request, and it must not run twice.
    NotSafe,
    /// Only another peer would help, and there is none.
    NoOtherPeer,
    /// The peer asks for more patience than the request has.
    RetryAfter,
    /// The first failure is too long ago.
    Window,
}

/// The decision before the budget was asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Judgement {
    Charged { wait: Duration, next: Next },
    Free { wait: Duration, next: Next },
    Stop(Why),
}

/// Decides everything but the budget, which only the caller may touch.
pub(crate) fn judge(
    facts: &RetryFacts<'_>,
    policy: &RetryPolicy,
    now: Time,
    entropy: u64,
) -> Judgement {
    if let Some(why) = refusal(facts, policy) {
        return Judgement::Stop(why);
    }
    let free = facts.is_free();
    if let Some(why) = spent(facts, policy, free) {
        return Judgement::Stop(why);
    }
    let (wait, next) = match route(facts, policy, free, entropy) {
        Ok(found) => found,
        Err(why) => return Judgement::Stop(why),
    };
    if now.since(facts.first_failure).saturating_add(wait) > policy.window {
        return Judgement::Stop(Why::Window);
    }
    let least = wait.saturating_add(LEAST_USEFUL);
    if facts.remaining.is_some_and(|left| left < least) {
        return Judgement::Stop(Why::Deadline);
    }
    // What never reached a peer cannot multiply its load, so failing over costs no token.
    if free || facts.class.delivery == Delivery::NotSent {
        Judgement::Free { wait, next }
    } else {
        Judgement::Charged { wait, next }
    }
}

/// Why this request may not be repeated at all.
fn refusal(facts: &RetryFacts<'_>, policy: &RetryPolicy) -> Option<Why> {
    if facts.committed {
        return Some(Why::Committed);
    }
    let (listed, safe) = match facts.class.retry {
        Repeat::Never => return Some(Why::Final),
        Repeat::Any { .. } => (is_listed(facts.outcome, policy), true),
        Repeat::FreshOnce => (true, true),
        Repeat::OtherPeer => (true, facts.safe),
        Repeat::Safe { .. } => (is_listed(facts.outcome, policy), facts.safe),
    };
    if !listed {
        Some(Why::NotListed)
    } else if !safe {
        Some(Why::NotSafe)
    } else if !facts.replayable {
        Some(Why::NotReplayable)
    } else {
        None
    }
}

fn is_listed(outcome: &Outcome, policy: &RetryPolicy) -> bool {
    let when = &policy.when;
    match outcome {
        Outcome::Answered { status, .. } => when.statuses.contains(status),
        Outcome::Cancelled => false,
        // No peer had a part in it.
        Outcome::Local => true,
        Outcome::Failed(failure) => match failure.cause {
            Cause::Connect
            | Cause::ConnectTimeout
            | Cause::Refused
            | Cause::Tls
            | Cause::Unprocessed => when.connect,
            Cause::HeadTimeout | Cause::Lost => when.timeout,
            Cause::BodyAborted | Cause::Closed | Cause::Malformed | Cause::Reset => when.reset,
        },
    }
}

fn spent(facts: &RetryFacts<'_>, policy: &RetryPolicy, free: bool) -> Option<Why> {
    let free_ones = facts.free.saturating_add(u32::from(free));
    let counted = facts.attempts.saturating_sub(free_ones);
    let twice = facts.class.retry == Repeat::FreshOnce && facts.attempts > 1;
    let over = counted >= policy.attempts || facts.attempts >= policy.hard_cap || twice;
    over.then_some(Why::Attempts)
}

/// When and where the next attempt goes.
fn route(
    facts: &RetryFacts<'_>,
    policy: &RetryPolicy,
    free: bool,
    entropy: u64,
) -> Result<(Duration, Next), Why> {
    let backoff = policy.backoff.delay(facts.attempts, entropy);
    if facts.class.retry == Repeat::FreshOnce || (free && facts.free == 0) {
        // The connection was at fault, not the peer; a peer that hands back what came on a new
        // one takes nothing at present.
        return Ok((Duration::ZERO, Next::SamePeerFresh));
    }
    let elsewhere = facts.other_peers;
    if !elsewhere && facts.class.retry == Repeat::OtherPeer {
        return Err(Why::NoOtherPeer);
    }
    if let Some(asked) = retry_after(facts.outcome) {
        let patience = facts.remaining.unwrap_or(PATIENCE).min(PATIENCE);
        return match (asked <= patience, elsewhere) {
            (true, true) => Ok((asked, Next::OtherPeer)),
            (true, false) => Ok((asked, Next::SamePeerFresh)),
            (false, true) => Ok((backoff, Next::OtherPeer)),
            (false, false) => Err(Why::RetryAfter),
        };
    }
    Ok(match (facts.class.delivery, elsewhere) {
        // Nothing was asked of the other peer yet, so there is nothing to wait for.
        (Delivery::NotSent, true) => (Duration::ZERO, Next::OtherPeer),
        (Delivery::Answered | Delivery::Unknown, true) => (backoff, Next::OtherPeer),
        (_, false) => (same_peer(entropy).max(backoff), Next::SamePeerFresh),
    })
}

fn retry_after(outcome: &Outcome) -> Option<Duration> {
    match outcome {
        Outcome::Answered { retry_after, .. } => *retry_after,
        _ => None,
    }
}

/// The same peer gets time to come back, as a restarting process needs.
fn same_peer(entropy: u64) -> Duration {
    SAME_PEER_LEAST.saturating_add(up_to(SAME_PEER_SPREAD, entropy))
}

/// A longer `Retry-After` is not waited for: the client's patience is not ours to spend.
const PATIENCE: Duration = Duration::from_secs(2);
/// An attempt with less time than this cannot succeed.
const LEAST_USEFUL: Duration = Duration::from_millis(10);
const SAME_PEER_LEAST: Duration = Duration::from_millis(100);
const SAME_PEER_SPREAD: Duration = Duration::from_millis(900);
