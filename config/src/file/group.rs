//! `groups` and `peers`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::health::Absent;
use super::{Breaker, Credentials, GroupTls, Headers, HealthCheck, Retry};
use crate::units::{Bound, Percent, Size, Span};

/// A pool of interchangeable peers and its policy.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Group {
    /// Unique; 1 to 64 of letters, digits, `_`, `-` and `.`. Default: `default`.
    pub(crate) name: Option<String>,
    /// What the peers speak: `auto` (told by each request), `mcp` or `http`. Default: `auto`.
    pub(crate) protocol: Option<Protocol>,
    /// Which HTTP the peers are spoken to with: `auto` (HTTP/2 where a TLS handshake settles on it,
    /// else HTTP/1.1), `http1` or `http2` (without TLS: known beforehand). Probes speak HTTP/1.1.
    /// Default: `auto`.
    pub(crate) http_version: Option<HttpVersion>,
    /// How a peer is chosen inside the active tier: `round_robin`, `weighted_round_robin`,
    /// `least_connections`, `random` (by weight), `p2c` (the less loaded of two drawn at random),
    /// `consistent_hash`, or `priority` (round robin; says that the tiers do the work).
    /// Default: `p2c`.
    pub(crate) strategy: Option<Strategy>,
    /// A tier is active while at least this many of its peers are usable. Default: 1.
    #[schemars(range(min = 1, max = 65535))]
    pub(crate) min_healthy: Option<u32>,
    /// When traffic returns to a better tier.
    pub(crate) failback: Option<Failback>,
    /// The peers.
    #[schemars(required, length(min = 1, max = 65535))]
    pub(crate) peers: Option<Vec<Peer>>,
    /// What `consistent_hash` hashes.
    pub(crate) hash: Option<Hash>,
    /// Where requests belong: inside a tier, peers of the wanted region come first.
    pub(crate) region: Option<Region>,
    /// How peers are probed.
    pub(crate) health_check: Option<HealthCheck>,
    /// The breaker of each peer; `none` for no breaker.
    pub(crate) circuit_breaker: Option<Breaker>,
    /// Whether and when a request is tried again.
    pub(crate) retry: Option<Retry>,
    /// How long things may take.
    pub(crate) timeouts: Option<Timeouts>,
    /// Event streams.
    pub(crate) sse: Option<Sse>,
    /// What Host the peers see: `auto` (for MCP the authority of the peer's URL, for plain HTTP
    /// what the client sent), `preserve` (what the client sent), `upstream` (the authority of the
    /// peer's URL), or the host itself. Default: `auto`.
    pub(crate) host: Option<String>,
    /// Changes to headers.
    pub(crate) headers: Option<Headers>,
    /// What the peers know us by, in place of the client's `Authorization`. Default: nothing; the
    /// client's passes.
    pub(crate) credentials: Option<Credentials>,
    /// The longest request body, or `none`; a longer one gets 413. Default: `none`.
    pub(crate) max_body: Option<MaxBody>,
    /// The protocols that clients may switch their connection to (`Upgrade`), as in
    /// `[websocket]`; `[]` for none. Default: `[websocket]`.
    pub(crate) upgrades: Option<Vec<String>>,
    /// Connections that were switched to another protocol.
    pub(crate) tunnels: Option<Tunnels>,
    /// Idle connections to peers.
    pub(crate) pool: Option<Pool>,
    /// Requests in flight per peer above which it takes no more; 0 for no cap. Default: 0.
    #[schemars(range(min = 0, max = 10_000_000))]
    pub(crate) max_in_flight: Option<u32>,
    /// What becomes of an MCP session whose peer is lost: `migrate` (it is made anew on another
    /// peer, and its client does not notice), or `fail` (the client is told that the session is
    /// gone). Default: `migrate`.
    pub(crate) on_peer_loss: Option<Lost>,
    /// The peers understand each other's MCP cursors, call states and tasks, so requests of
    /// 2026-07-28 that go on with any of these may go to any peer. Otherwise such requests go back
    /// to the peer that issued it. Default: false.
    pub(crate) shared_state: Option<bool>,
    /// How much is learned of MCP servers and sessions.
    pub(crate) mcp_limits: Option<McpLimits>,
    /// TLS towards the peers whose URL is `https://`.
    pub(crate) tls: Option<GroupTls>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Protocol {
    Auto,
    Mcp,
    Http,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HttpVersion {
    Auto,
    Http1,
    Http2,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Strategy {
    RoundRobin,
    WeightedRoundRobin,
    LeastConnections,
    Random,
    P2c,
    ConsistentHash,
    Priority,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Lost {
    Fail,
    Migrate,
}

/// One upstream endpoint.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Peer {
    /// Unique in its group; 1 to 64 of letters, digits, `_`, `-`, `.` and `:`. Consistent hashing
    /// goes by it, so keep it when the address changes. Default: host and port of the URL.
    pub(crate) name: Option<String>,
    /// Where it is, as in `http://10.0.0.1:9001/mcp` or `https://search.example.com/mcp`, or
    /// `unix:/run/app.sock:/mcp` for a socket and a path. `http+srv://_mcp._tcp.example.com/mcp`
    /// (or `https+srv://`) is wherever the SRV records of that service say. A path replaces the matched prefix of the
    /// route; without one (or with `/`) the path of the request is kept.
    #[schemars(required)]
    pub(crate) url: Option<String>,
    /// 1 is preferred; peers of equal priority form one tier. Default: 1.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) priority: Option<u32>,
    /// Share of the traffic inside a tier; 0 takes no new traffic. Default: 1.
    #[schemars(range(min = 0, max = 65535))]
    pub(crate) weight: Option<u16>,
    /// Where it stands, for region order inside a tier.
    pub(crate) region: Option<String>,
    /// What it knows us by, instead of what the group says.
    pub(crate) credentials: Option<Credentials>,
}

/// When traffic returns to a better tier.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Failback {
    /// `auto` (after the hold-down) or `manual` (when an operator says so, or when the tier in use
    /// fails too). Default: `auto`.
    pub(crate) mode: Option<FailbackMode>,
    /// How long the better tier must have been available without a break. Default: `30s`.
    pub(crate) hold: Option<Span>,
    /// Over how long traffic then moves from 10 to 100 %; `0s` for all at once. Default: `30s`.
    pub(crate) ramp: Option<Span>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FailbackMode {
    Auto,
    Manual,
}

/// What `consistent_hash` hashes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hash {
    /// `client_ip`, `header:NAME`, `cookie:NAME`, `query:NAME`, `mcp:session`, `mcp:name` (tool,
    /// resource or prompt) or `mcp:param:NAME` (an `Mcp-Param-NAME` header). A request without it
    /// goes to any peer.
    #[schemars(required)]
    pub(crate) key: Option<String>,
    /// A peer with more than this share of its fair load is passed over, `100%` to `1000%`; each
    /// replica goes by its own count, so replicas may disagree under load. Default: never.
    pub(crate) bounded_load: Option<Percent>,
}

/// Where requests belong.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Region {
    /// The region of this proxy, wanted by requests that name none.
    pub(crate) local: Option<String>,
    /// What of a request names its region: `header:NAME` (in MCP's Base64 form or as it is),
    /// `mcp:param:NAME` (a parameter that clients mirror into a header), or `mcp:name` (the tool).
    pub(crate) key: Option<String>,
    /// The regions of values that are no names of regions, such as those of tenants or tools.
    /// Default: none.
    pub(crate) map: Option<BTreeMap<String, String>>,
    /// The regions to try after the wanted one, in this order; any other comes last.
    pub(crate) fallback: Option<Vec<String>>,
}

/// How long things may take; `none` for no bound.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Timeouts {
    /// To a connection. Default: `1s`.
    pub(crate) connect: Option<Span>,
    /// From the end of the request to the head of the response. Applies to MCP `tools/call` only
    /// when it is set here. Default: `60s`.
    pub(crate) first_byte: Option<Bound>,
    /// Between two bytes of a response; event streams and tunnels are exempt. Default: `5m`.
    pub(crate) idle: Option<Bound>,
    /// From the request to the end of the response; event streams and tunnels are exempt. Default:
    /// `5m`.
    pub(crate) total: Option<Bound>,
    /// Silence of a tunnel, both ways. Default: `1h`.
    pub(crate) tunnel_idle: Option<Bound>,
}

/// A size, or `none` for no bound.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(crate) enum MaxBody {
    Absent(Absent),
    Size(Size),
}

/// Event streams.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sse {
    /// A comment is sent on a stream that was quiet this long, since some clients cut at 300 s;
    /// `none` for no comments. Default: `25s`.
    pub(crate) keepalive: Option<Bound>,
}

/// Connections that were switched to another protocol, such as WebSocket.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tunnels {
    /// What becomes of one whose peer turns unhealthy, or is taken out by a reload: `keep` (it goes
    /// on as long as the peer serves it, after a reload at most for `limits.drain_streams`) or
    /// `close` (at once, so that its client comes back to another peer). Default: `keep`.
    pub(crate) on_peer_loss: Option<TunnelLost>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TunnelLost {
    Close,
    Keep,
}

/// Idle connections to peers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pool {
    /// How long an idle connection is kept; shorter than the peers keep it. Default: `55s`.
    pub(crate) idle: Option<Span>,
    /// Connections kept per peer and thread for further requests; 0 for none. Default: 256.
    #[schemars(range(min = 0, max = 65535))]
    pub(crate) size: Option<usize>,
}

/// How much is learned of MCP servers and sessions, at most.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct McpLimits {
    /// An answer that is held until it is whole, or read for the proxy itself; a longer one goes to the
    /// client as it comes. Default: `256KiB`.
    pub(crate) answer: Option<Size>,
    /// Callers whose lists of tools are kept, per peer. Default: 128.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) contexts: Option<usize>,
    /// Callers whose answer to `server/discover` is remembered. Default: 128.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) discoveries: Option<usize>,
    /// What a server says of itself: an answer to `server/discover` that is remembered, a
    /// protected-resource document, the registration of a client. Default: `64KiB`.
    pub(crate) document: Option<Size>,
    /// What is remembered of each MCP session, of each of these: questions of its server, answers to
    /// such, streams that wait to be resumed. Default: 64.
    #[schemars(range(min = 1, max = 100_000))]
    pub(crate) exchanges: Option<usize>,
    /// A page of tools that is read. Default: `1MiB`.
    pub(crate) list: Option<Size>,
    /// MCP sessions made anew at one peer at the same time; the others wait. Default: 32.
    #[schemars(range(min = 1, max = 100_000))]
    pub(crate) migrations: Option<usize>,
    /// Resources that an MCP session is subscribed to again where it moves. Default: 256.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub(crate) subscriptions: Option<usize>,
    /// Tools that are kept of a list. Default: 1024.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub(crate) tools: Option<usize>,
}
