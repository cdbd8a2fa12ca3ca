//! Who may ask an MCP route: Host and Origin (mcp-rules 27).

use super::Snapshot;
use crate::mcp::addressing::{Forbidden, check_host};
use crate::session::Session;
use http::header;

/// Checks Host and Origin of an MCP request before anything is rewritten.
pub(super) fn check(session: &Session, snapshot: &Snapshot) -> Result<(), Forbidden> {
    let headers = &session.request.headers;
    check_host(
        headers.get(header::HOST).map(http::HeaderValue::as_bytes),
        headers.get(header::ORIGIN).map(http::HeaderValue::as_bytes),
        session.connection.local.ip(),
        snapshot.hosts.iter().map(String::as_str),
    )
}
