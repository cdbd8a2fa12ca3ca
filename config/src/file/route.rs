//! `routes`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// Which request goes to which group.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Route {
    /// What a request must look like; every part that is given must match. Default: any request.
    #[serde(rename = "match")]
    pub(crate) matches: Option<Match>,
    /// The name of the group that answers.
    #[schemars(required)]
    pub(crate) group: Option<String>,
    /// Changes to the path besides the prefix. Not available yet.
    #[schemars(extend("x-not-yet" = true))]
    #[expect(dead_code, reason = "in the schema, and refused by name")]
    pub(crate) rewrite: Option<serde_json::Value>,
    /// Headers to set, add or remove in requests. Not available yet.
    #[schemars(extend("x-not-yet" = true))]
    #[expect(dead_code, reason = "in the schema, and refused by name")]
    pub(crate) request_headers: Option<serde_json::Value>,
    /// Headers to set, add or remove in responses. Not available yet.
    #[schemars(extend("x-not-yet" = true))]
    #[expect(dead_code, reason = "in the schema, and refused by name")]
    pub(crate) response_headers: Option<serde_json::Value>,
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
    /// Headers and their exact values.
    pub(crate) headers: Option<BTreeMap<String, String>>,
    /// The MCP method, as in `tools/call` (clients of MCP 2026-07-28 and later say it in a header).
    pub(crate) mcp_method: Option<String>,
    /// The MCP tool, resource or prompt (clients of MCP 2026-07-28 and later).
    pub(crate) mcp_name: Option<String>,
}
