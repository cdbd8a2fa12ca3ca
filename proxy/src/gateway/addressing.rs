//! Who may ask an MCP route: Host and Origin (mcp-rules 27).

use super::Ctx;
use crate::mcp::addressing::{Forbidden, check_host};
use crate::session::Session;
use http::header;

/// Checks Host and Origin of an MCP request before anything is rewritten. An origin that `cors:`
/// lets ask passes.
pub(super) fn check(session: &Session, ctx: &Ctx) -> Result<(), Forbidden> {
    let headers = &session.request.headers;
    let origin = headers.get(header::ORIGIN).filter(|_| ctx.origin.is_none());
    check_host(
        headers.get(header::HOST).map(http::HeaderValue::as_bytes),
        origin.map(http::HeaderValue::as_bytes),
        session.connection.local.ip(),
        ctx.snapshot.hosts.iter().map(String::as_str),
    )
}
