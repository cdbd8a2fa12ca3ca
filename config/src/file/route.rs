//! `routes`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::health::Absent;
use super::{Condition, Headers, MaxBody, Timeouts};
use crate::units::Bound;

/// Which request goes where. One of `group`, `redirect` and `respond`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Route {
    /// What a request must look like; every part that is given must match. Default: any request.
    #[serde(rename = "match")]
    pub(crate) matches: Option<Match>,
    /// The name of the group that answers.
    pub(crate) group: Option<String>,
    /// Sends the client to another address.
    pub(crate) redirect: Option<Redirect>,
    /// Answers every request alike.
    pub(crate) respond: Option<Respond>,
    /// Changes to headers, after those of the group.
    pub(crate) headers: Option<Headers>,
    /// What Host the peers see, instead of what the group says; as there.
    pub(crate) host: Option<String>,
    /// The matched prefix is taken off, also when the URL of the peer has no path. Default: `false`.
    pub(crate) strip_prefix: Option<bool>,
    /// What takes the place of the matched prefix.
    pub(crate) rewrite: Option<Rewrite>,
    /// How long things may take; what is not given is as the group has it.
    pub(crate) timeouts: Option<Timeouts>,
    /// When a request is tried again, or `none` for never; what is not given is as the group has
    /// it, and the budget is the group's.
    pub(crate) retry: Option<RouteRetry>,
    /// The longest request body, or `none`; a longer one gets 413. Default: as the group has it.
    pub(crate) max_body: Option<MaxBody>,
    /// The protocols that clients may switch their connection to, as in `[websocket]`; `[]` for
    /// none. Default: as the group has it.
    pub(crate) upgrades: Option<Vec<String>>,
}

/// The answer that names another address.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Redirect {
    /// The address, as in `https://{host}{path}` or `/new{rest}`; the variables are those of header
    /// values. The query of the request is kept, unless the address has one.
    #[schemars(required)]
    pub(crate) to: Option<String>,
    /// 301, 302, 303, 307 or 308. Default: 308.
    #[schemars(range(min = 301, max = 308))]
    pub(crate) status: Option<u16>,
}

/// The same answer for every request.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Respond {
    /// The status. Default: 200.
    #[schemars(range(min = 200, max = 599))]
    pub(crate) status: Option<u16>,
    /// The body. Default: none.
    pub(crate) body: Option<String>,
    /// What the body is. Default: `text/plain; charset=utf-8`.
    pub(crate) content_type: Option<String>,
}

/// What takes the place of the matched prefix.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rewrite {
    /// A path such as `/v2`. It stands behind the path of the peer's URL, if that has one; `/` is
    /// the same as `strip_prefix`.
    #[schemars(required)]
    pub(crate) prefix: Option<String>,
}

/// When a request of the route is tried again, or `none`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(crate) enum RouteRetry {
    Absent(Absent),
    Numbers(RouteRetryNumbers),
}

/// When a request of the route is tried again.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RouteRetryNumbers {
    /// Attempts in all, the first included.
    #[schemars(range(min = 1, max = 100))]
    pub(crate) attempts: Option<u32>,
    /// Bounds one attempt up to the head of its response.
    pub(crate) per_try: Option<Bound>,
    /// What is tried again: `connect`, `reset`, `timeout`, or a status from 400 to 599.
    pub(crate) when: Option<Vec<Condition>>,
}

/// What a request must look like; every part that is given must match.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Match {
    /// A path prefix that ends at a `/` of the request or at its end: `/search` matches `/search`
    /// and `/search/x`, but not `/searching`. It is replaced by the path of the peer's URL when
    /// that has one. Default: `/`, every path.
    pub(crate) path: Option<String>,
    /// The host that the client asks for, without port; `*.example.com` for any name below it.
    pub(crate) host: Option<String>,
    /// Methods, as in `[GET, HEAD]`; any of them. Default: all.
    pub(crate) methods: Option<Vec<String>>,
    /// Parameters of the query and their exact values, as they are sent.
    pub(crate) query: Option<BTreeMap<String, String>>,
    /// Headers and their exact values.
    pub(crate) headers: Option<BTreeMap<String, String>>,
    /// The MCP method, as in `tools/call` (clients of MCP 2026-07-28 and later say it in a header).
    pub(crate) mcp_method: Option<String>,
    /// The MCP tool, resource or prompt (clients of MCP 2026-07-28 and later).
    pub(crate) mcp_name: Option<String>,
}
