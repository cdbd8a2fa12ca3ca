//! How much is learned of MCP servers and sessions.

use proxy::settings::McpLimits;

use super::limits::{KIB, MIB, sized};
use crate::file;
use crate::finding::Findings;

pub(super) fn mcp_limits(file: &file::McpLimits, at: &str, found: &mut Findings) -> McpLimits {
    let default = McpLimits::default();
    let mut size = |name: &str, size, default, bounds| {
        let path = format!("{at}.mcp_limits.{name}");
        sized(size, default, bounds, &path, found)
    };
    McpLimits {
        answer: size("answer", file.answer, default.answer, (KIB, 64 * MIB)),
        contexts: file.contexts.unwrap_or(default.contexts),
        discoveries: file.discoveries.unwrap_or(default.discoveries),
        document: size("document", file.document, default.document, (KIB, 4 * MIB)),
        exchanges: file.exchanges.unwrap_or(default.exchanges),
        list: size("list", file.list, default.list, (KIB, 64 * MIB)),
        migrations: file.migrations.unwrap_or(default.migrations),
        subscriptions: file.subscriptions.unwrap_or(default.subscriptions),
        tools: file.tools.unwrap_or(default.tools),
    }
}
