//! The names of the selection strategies.

/// How a peer is chosen among the usable peers of the active tier.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Strategy {
    /// The peer that owns the request's key; the next owner when it cannot serve.
    ConsistentHash,
    /// The fewest requests in flight per weight.
    LeastConnections,
    /// Two drawn at random by weight, the less loaded of them. The default: it needs no shared
    /// order and does not herd.
    #[default]
    PowerOfTwo,
    /// Active-passive: round robin in the active tier.
    Priority,
    /// One drawn at random, by weight.
    Random,
    /// Each in turn.
    RoundRobin,
    /// Each in turn, as often as its weight says, interleaved smoothly.
    WeightedRoundRobin,
}
