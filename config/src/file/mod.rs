//! What the user wrote: one type for each mapping of the file, one field for each key.
//!
//! The comments become the descriptions of the JSON Schema, and the schema decides what a file may
//! hold; so each comment is written for the operator. Every field is optional here: what must be
//! there the schema knows, and a part with a problem is left out so that the rest can be checked.
//! A field that is marked `x-not-yet` is refused by name.

mod cors;
mod credentials;
mod dns;
mod group;
mod headers;
mod health;
mod limits;
mod listener;
mod process;
mod retry;
mod route;
mod session;
mod tls;

pub(crate) use cors::Cors;
pub(crate) use credentials::{Basic, Credentials, HeaderCredential, Secret};
pub(crate) use dns::{Dns, DnsResolver};
pub(crate) use group::{
    Failback, FailbackMode, Group, Hash, HttpVersion, Lost, MaxBody, McpLimits, Peer, Protocol,
    Strategy, Timeouts, TunnelLost,
};
pub(crate) use headers::{Fields, Headers};
pub(crate) use health::{Breaker, BreakerNumbers, HealthCheck, Probe, Status};
pub(crate) use limits::{Http2, Limits};
pub(crate) use listener::{Admin, Listener};
pub(crate) use process::{AccessLog, AccessLogFormat, Log, LogFormat, LogLevel, Reload};
pub(crate) use retry::{Backoff, Budget, Condition, Jitter, Retry, Tools, ToolsWord, When};
pub(crate) use route::{Match, Redirect, Respond, Rewrite, Route, RouteRetry};
pub(crate) use session::Session;
pub(crate) use tls::{Alpn, ClientAuth, GroupTls, ListenerTls, TlsVersion};

use schemars::JsonSchema;
use serde::Deserialize;

/// The configuration of backstay. Durations are written `5s`, `250ms` or `1m30s`, sizes `512B`,
/// `256KiB` or `1MiB`, percentages `20%`. Every value may hold `${VAR}`, `${VAR:-default}` or
/// `${VAR:?message}`; `$$` is a dollar sign.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "backstay")]
pub(crate) struct File {
    /// Worker threads, each with a runtime of its own. Default: one per core.
    #[schemars(range(min = 1, max = 1024))]
    pub(crate) threads: Option<usize>,
    /// Where clients connect. Without it, `--listen` must be given.
    pub(crate) listeners: Option<Vec<Listener>>,
    /// The admin listener. Without it there is none.
    pub(crate) admin: Option<Admin>,
    /// The pools of peers.
    #[schemars(required, length(min = 1))]
    pub(crate) groups: Option<Vec<Group>>,
    /// Which request goes where: the longest path prefix wins, then the order of the
    /// file. Without routes the one group takes every path, unchanged.
    pub(crate) routes: Option<Vec<Route>>,
    /// Clients that are proxies of ours, as addresses, blocks such as `10.0.0.0/8`, or `unix:` for
    /// those that come over sockets in the file system: what they say of who forwarded what is kept
    /// and added to; what others say is replaced. Default: none.
    pub(crate) trusted_proxies: Option<Vec<String>>,
    /// How names of peers are looked up.
    pub(crate) dns: Option<Dns>,
    /// Bounds on what clients and peers may cost.
    pub(crate) limits: Option<Limits>,
    /// The keys that seal MCP session ids.
    pub(crate) session: Option<Session>,
    /// Which principal an MCP session id is bound to: `auto` (a JWT binds by issuer, subject and
    /// client; an opaque token does not bind), `header:NAME` (the value of a header that a trusted
    /// hop in front sets), `none`, or `mtls` (not available yet). Default: `auto`.
    pub(crate) session_binding: Option<String>,
    /// What is logged, on stderr.
    pub(crate) log: Option<Log>,
    /// One line for each request. Default: off.
    pub(crate) access_log: Option<AccessLog>,
    /// When the file is read again besides on SIGHUP.
    pub(crate) reload: Option<Reload>,
    /// Cross-origin answers for browsers. Default: none, and the peers answer.
    pub(crate) cors: Option<Cors>,
    /// Scheme and host, and port if need be, that clients know us by, such as
    /// `https://mcp.example.com`: what OAuth tells them of us (RFC 9728) begins with it. Default:
    /// those of each request, which a proxy in front may have changed.
    pub(crate) public_url: Option<String>,
    /// What several replicas share. Not available yet.
    #[schemars(extend("x-not-yet" = true))]
    #[expect(dead_code, reason = "in the schema, and refused by name")]
    pub(crate) cluster: Option<serde_json::Value>,
}
