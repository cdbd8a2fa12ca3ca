//! Which request goes to which group.

/// One route. The longest path prefix wins, then the order of the configuration.
#[derive(Clone, Debug)]
pub struct RouteSettings {
    /// What a request must look like.
    pub matches: RouteMatch,
    /// The position of the group in the settings.
    pub group: usize,
}

/// What a request must look like; every part that is given must match.
#[derive(Clone, Debug, Default)]
pub struct RouteMatch {
    /// A raw path prefix on a segment boundary, beginning with `/`; `/` matches every path.
    pub path: String,
    /// The host the client asked for, lower case, without a port; `*.example.com` for any label.
    pub host: Option<String>,
    /// Headers and their exact values.
    pub headers: Vec<(http::HeaderName, http::HeaderValue)>,
    /// The MCP method, from `Mcp-Method` (modern era).
    pub mcp_method: Option<String>,
    /// The MCP tool, resource or prompt, from `Mcp-Name` (modern era), decoded.
    pub mcp_name: Option<String>,
}
