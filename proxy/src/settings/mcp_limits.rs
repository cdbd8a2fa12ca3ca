//! How much is learned of MCP servers and sessions.

/// How much is learned of MCP servers and sessions, at most. Each has a metric that counts when it
/// bites.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct McpLimits {
    /// Bytes of a peer's answer that are held, or read for ourselves, to look at it whole. A longer
    /// one goes downstream as it comes: where its peer cuts it, it is half an answer.
    pub answer: usize,
    /// Callers whose lists of tools are kept, per peer; tools that nobody remembers do not run
    /// twice.
    pub contexts: usize,
    /// Callers whose answer to `server/discover` is remembered.
    pub discoveries: usize,
    /// Bytes of what a server says of itself: an answer to `server/discover` that is remembered, a
    /// protected-resource document, the registration of a client (and a form that names one).
    pub document: usize,
    /// What is remembered of each MCP session, of each of these: questions of its server without an
    /// answer, per stream; answers to such; streams that wait to be resumed. The oldest goes first.
    pub exchanges: usize,
    /// Bytes of a page of tools that is read.
    pub list: usize,
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
            answer: 256 * 1024,
            contexts: 128,
            discoveries: 128,
            document: 64 * 1024,
            exchanges: 64,
            list: 1024 * 1024,
            migrations: 32,
            subscriptions: 256,
            tools: 1024,
        }
    }
}
