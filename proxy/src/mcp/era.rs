//! The two ways MCP has been spoken over HTTP.

use super::Version;

/// Which of the two ways of MCP a request speaks. Decided for each request: both live on one URL.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Era {
    /// 2024-11-05 to 2025-11-25: `initialize`, MCP sessions, GET streams, resumption.
    Legacy,
    /// 2026-07-28 and later: stateless, POST only, facts mirrored in headers.
    Modern,
}

impl Era {
    /// The era of a request with this `MCP-Protocol-Version`. Without one it is legacy: absent
    /// means 2025-03-26 (MCP 2025-06-18 "Protocol Version Header").
    pub fn of(version: Option<Version>) -> Self {
        match version {
            Some(version) if version >= Version::V2026_07_28 => Self::Modern,
            _ => Self::Legacy,
        }
    }
}
