//! How much is learned of MCP servers and sessions.

/// How much is learned of MCP servers and sessions, at most. Each has a metric that counts when it
/// bites.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct McpLimits {
    /// Callers whose lists of tools are kept, per peer; tools that nobody remembers do not run
    /// twice.
    pub contexts: usize,
    /// MCP sessions made anew at one peer at the same time (rule 8); the others wait.
    pub migrations: usize,
    /// Resources that an MCP session is subscribed to again where it moves.
    pub subscriptions: usize,
    /// Tools that are kept of a list; no model is offered more.
    pub tools: usize,
}

impl Default for McpLimits {
    fn default() -> Self {
        Self {
            contexts: 128,
            migrations: 32,
            subscriptions: 256,
            tools: 1024,
        }
    }
}
