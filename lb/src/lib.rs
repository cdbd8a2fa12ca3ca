//! The decisions of backstay: which peer, whether it is usable, whether to try again.

mod backoff;
mod breaker;
mod budget;
mod classify;
mod group;
mod hash;
mod health;
mod outcome;
mod peer;
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
pub use retry::{Decision, Next, RetryFacts, RetryOn, RetryPolicy, Why};
pub use strategy::Strategy;
pub use tier::{FailbackMode, FailbackPolicy};
pub use time::Time;
pub use tried::Tried;
