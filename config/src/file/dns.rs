//! `dns`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::units::Span;

/// How names of peers are looked up: beforehand, and again when an answer has aged. While a name
/// cannot be looked up, the last answer is kept.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dns {
    /// `direct` (the name servers of `/etc/resolv.conf`, and `/etc/hosts`) or `system`
    /// (`getaddrinfo`, whose answers are asked for again every 30 s). Default: `direct`.
    pub(crate) resolver: Option<DnsResolver>,
    /// An answer is used at least this long. Default: `1s`.
    pub(crate) min_ttl: Option<Span>,
    /// An answer is used at most this long. Default: `5m`.
    pub(crate) max_ttl: Option<Span>,
    /// How long an answer may take. Default: `5s`.
    pub(crate) timeout: Option<Span>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DnsResolver {
    Direct,
    System,
}
