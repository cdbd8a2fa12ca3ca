//! The decisions of backstay: which peer, whether it is usable, whether to try again.

mod backoff;
mod breaker;
mod budget;
mod group;
mod health;
mod peer;
mod retry;
mod strategy;
mod tier;
mod time;

pub use backoff::{Backoff, Jitter};
pub use breaker::BreakerPolicy;
pub use budget::BudgetPolicy;
pub use group::GroupPolicy;
pub use health::HealthPolicy;
pub use peer::{Peer, PeerIndex};
pub use retry::{RetryOn, RetryPolicy};
pub use strategy::Strategy;
pub use tier::{FailbackMode, FailbackPolicy};
pub use time::Time;
