//! `retry`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::units::{Bound, Percent, Span};

/// Whether and when a request is tried again. What may have reached a peer is tried again only if
/// it is safe to run twice.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Retry {
    /// Attempts in all, the first included. Default: 3.
    #[schemars(range(min = 1, max = 100))]
    pub(crate) attempts: Option<u32>,
    /// Attempts in all, stale connections included, which cost no attempt otherwise. Default: 5,
    /// or `attempts` when that is more.
    #[schemars(range(min = 1, max = 100))]
    pub(crate) hard_cap: Option<u32>,
    /// No new attempt later than this after the first failure. Default: `10s`.
    pub(crate) window: Option<Span>,
    /// Bounds one attempt up to the head of its response. Default: `none`.
    pub(crate) per_try: Option<Bound>,
    /// How long to wait before another attempt.
    pub(crate) backoff: Option<Backoff>,
    /// Retries per hundred requests, as in `20%`, or all its numbers. Default: `20%`.
    pub(crate) budget: Option<Budget>,
    /// What is tried again: `connect` (nothing was sent), `reset` (the connection ended before a
    /// response), `timeout` (no response in time), or a status from 400 to 599.
    /// Default: `[connect, reset, timeout, 502, 503, 504]`.
    pub(crate) when: Option<Vec<Condition>>,
    /// Which MCP `tools/call` requests may run twice: `annotated` (those whose tool every peer says
    /// to be read-only or idempotent, to whoever calls it), `never`, `always`, or a list of
    /// tools. Default: `annotated`.
    pub(crate) tools: Option<Tools>,
}

/// How long to wait before another attempt.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Backoff {
    /// The longest first wait. Default: `25ms`.
    pub(crate) initial: Option<Span>,
    /// By how much the longest wait grows with each attempt. Default: 2.
    #[schemars(range(min = 1, max = 100))]
    pub(crate) multiplier: Option<f64>,
    /// The longest wait of all. Default: `250ms`.
    pub(crate) max: Option<Span>,
    /// How the wait is drawn: `full` (anything below the longest), `equal` (half of it and
    /// anything below the other half) or `none`. Default: `full`.
    pub(crate) jitter: Option<Jitter>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Jitter {
    Full,
    Equal,
    None,
}

/// How many retries a group may make.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(crate) enum Budget {
    Percent(Percent),
    Numbers(BudgetNumbers),
}

/// How many retries a group may make.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BudgetNumbers {
    /// Retries per hundred requests, `0%` to `1000%`. Default: `20%`.
    pub(crate) percent: Option<Percent>,
    /// Retries that are always there; at least three for each peer. Default: 10.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub(crate) reserve: Option<u32>,
    /// Retries added each second, whatever the traffic. Default: 3.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub(crate) per_second: Option<u32>,
}

/// One thing that is tried again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(crate) enum Condition {
    Status(#[schemars(range(min = 400, max = 599))] u16),
    When(When),
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum When {
    Connect,
    Reset,
    Timeout,
}

/// Which tools may run twice.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(crate) enum Tools {
    Names(Vec<String>),
    Word(ToolsWord),
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum ToolsWord {
    Annotated,
    Never,
    Always,
}
