//! `health_check` and `circuit_breaker`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::units::{Percent, Span};

/// How peers are probed.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HealthCheck {
    /// `mcp`, `http`, `grpc` (`grpc.health.v1.Health/Check`), `tcp` or `none`. Default: `tcp`, and
    /// `mcp` once a peer has answered as MCP, or at once with `protocol: mcp`.
    pub(crate) probe: Option<Probe>,
    /// Time between two probes, before 10 % of jitter. Default: `5s`.
    pub(crate) interval: Option<Span>,
    /// How long a probe may take. Default: `2s`.
    pub(crate) timeout: Option<Span>,
    /// Time between two probes while the verdict is about to change, or after a failed request.
    /// Default: `1s`.
    pub(crate) fast_interval: Option<Span>,
    /// Failed probes in a row that make a peer unhealthy. Default: 3.
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) unhealthy_threshold: Option<u32>,
    /// Passed probes in a row that make it healthy again. Default: 2.
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) healthy_threshold: Option<u32>,
    /// The path that an `http` probe asks for. Default: `/`.
    pub(crate) path: Option<String>,
    /// The service that a `grpc` probe asks for. Default: none, which is the server as a whole.
    #[schemars(length(max = 256))]
    pub(crate) service: Option<String>,
    /// The statuses that pass an `http` probe, as in `200` or `200-399`. Default: `200-399`.
    pub(crate) status: Option<Status>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Probe {
    Mcp,
    Http,
    Tcp,
    None,
    Grpc,
}

/// One status, or the lowest and the highest.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(crate) enum Status {
    One(#[schemars(range(min = 100, max = 599))] u16),
    Range(String),
}

/// The breaker of each peer, or `none`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(crate) enum Breaker {
    Absent(Absent),
    Numbers(BreakerNumbers),
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum Absent {
    None,
}

/// The numbers of each peer's breaker.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BreakerNumbers {
    /// Consecutive failures that open it. Default: 5.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) failure_threshold: Option<u32>,
    /// Consecutive failures to connect that open it. Default: 3.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) connect_failure_threshold: Option<u32>,
    /// The share of failures within `window` that opens it, `1%` to `100%`. Default: `50%`.
    pub(crate) failure_rate: Option<Percent>,
    /// Requests within `window` below which the rate says nothing. Default: 20.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) min_requests: Option<u32>,
    /// The time over which the rate is taken. Default: `10s`.
    pub(crate) window: Option<Span>,
    /// How long it stays open the first time, before jitter; it doubles with each further failure.
    /// Default: `2s`.
    pub(crate) open_for: Option<Span>,
    /// The longest it stays open, before jitter. Default: `60s`.
    pub(crate) max_open: Option<Span>,
    /// Requests let through at a time while half-open. Default: 1.
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) half_open_probes: Option<u32>,
    /// Consecutive successes that close it again. Default: 2.
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) success_threshold: Option<u32>,
    /// How long a probing request may take before its slot is given to another. Default: `30s`.
    pub(crate) probe_lease: Option<Span>,
    /// How long traffic grows from 10 to 100 % after closing; `0s` for at once. Default: `10s`.
    pub(crate) slow_start: Option<Span>,
}
