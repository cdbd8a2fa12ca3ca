//! The decisions of backstay: which peer, whether it is usable, whether to try again.
//!
//! A [`Group`] is shared by all threads. A request asks it for a [`Pick`], tries the peer,
//! [`classify`]s the outcome, settles the pick with the verdict, and, where that failed, asks
//! [`Group::decide`] what next. Health checks and operators report to the group too. What happened
//! comes out of [`Group::take_changes`].
//!
//! # Map
//!
//! | module | decides |
//! |---|---|
//! | `group` | what all of the below mean together: the search for a peer, reports, operators, reload |
//! | `select` | which peer of a pool: seven strategies |
//! | `breaker` | whether a peer may be asked, from what requests met |
//! | `health` | whether it is up, from what checks found |
//! | `tier` | which tier is in use |
//! | `outcome`, `classify` | what the end of an attempt means |
//! | `retry`, `backoff`, `budget` | whether, when and at whose cost to try again |
//! | `hash` | where keys go, for ever |
//! | `peer`, `peer_set`, `strategy`, `time`, `tried` | the words the others share |
//! | `sync` | the atomics and the lock, which shuttle may replace |
//! | `model` | operation sequences beside a plain account, for property tests and fuzzing |
//!
//! # Invariants
//!
//! - No I/O, no clock, no randomness, no logging: `now` and `entropy` are arguments, changes are
//!   values. No dependency but std.
//! - One classifier. Retry, breaker and health cannot disagree about an outcome.
//! - A pick counts as in flight until it is dropped. Every probe's slot is freed exactly once: by
//!   its verdict, by its drop, or by its lease.
//! - A verdict of a state that has passed changes nothing.
//! - A peer that an operator disabled gets no request, not even in panic; panic overrides health
//!   checks and nothing else.
//! - A request that may have reached a peer is repeated only if it is safe to repeat.
//! - Charged retries of the ten seconds before any charge stay within their share of the requests,
//!   the reserve, and the allowance per second.
//! - While all is well no lock is taken and nothing is allocated. The one lock of a group is held
//!   for a transition, never across a call out.
//! - The hash, and where it puts keys, never changes.

mod backoff;
mod breaker;
mod budget;
mod classify;
mod group;
mod hash;
mod health;
#[cfg(feature = "model")]
pub mod model;
mod outcome;
mod peer;
mod peer_set;
mod retry;
mod select;
mod strategy;
mod sync;
mod tier;
mod time;
mod tried;

pub use backoff::{Backoff, Jitter};
pub use breaker::{BreakerPolicy, Trip};
pub use budget::BudgetPolicy;
pub use classify::{Class, Delivery, Repeat, Verdict, classify};
pub use group::{
    Admin, BreakerView, Change, Group, GroupError, GroupPolicy, GroupView, HealthView, NoPeer,
    PeerView, Pick, PickRequest, PinLoss,
};
pub use hash::hash64;
pub use health::{HealthPolicy, Probed};
pub use outcome::{Cause, Failure, Outcome, Received, Sent};
pub use peer::{Peer, PeerIndex};
pub use peer_set::PeerSet;
pub use retry::{Decision, Next, RetryFacts, RetryOn, RetryPolicy, Why};
pub use strategy::Strategy;
pub use tier::{FailbackMode, FailbackPolicy};
pub use time::Time;
pub use tried::Tried;
